/** The servers and services this pod talks to: NATS, policy, provisioning for credentials. What goes over a connection is said elsewhere. */
import type { Clock } from '@postern/clock';
import { formatHostPort, readSecret, readSecretBytes } from '@postern/config';
import { createClient, createScopeSource } from '@postern/grpc';
import { CredentialServiceClient } from '@postern/proto/directory/v1/credential_service';
import { PolicyServiceClient } from '@postern/proto/policy/v1/policy_service';
import { connectStreams, type StreamConnection, traceSubject } from '@postern/stream';
import type { Logger, Telemetry } from '@postern/telemetry';
import type { EdgeConfig } from '../config.js';
import type { EdgeLogEvent } from '../events.js';
import type { EdgeMetrics } from '../metrics.js';
import { createPolicyClient, type PolicyClient } from '../policy-client.js';
import { watchPods } from '../policy-pods.js';

/** Messages to policy hold a whole inline message and its facts. */
const maxPolicyMessage = 8 * 1024 * 1024;

/** A pod that is silent, its connection open, is given up within 7 s, so that another one can still be asked within the deadline of a verdict. */
const policyKeepalive = { everyMs: 3_000, answerMs: 4_000 };

/** Signs what this service asks of others; undefined = nothing is signed. */
export type ScopeSource = (() => string) | undefined;

interface Caller {
  readonly config: EdgeConfig;
  readonly telemetry: Telemetry<EdgeLogEvent>;
  readonly scope: ScopeSource;
}

export async function scopeSource(file: EdgeConfig['scopeKeyFile'], clock: Clock): Promise<ScopeSource> {
  if (file === undefined) return undefined;
  return createScopeSource({ service: 'edge', key: await readSecretBytes(file), clock });
}

export async function connectNats(nats: EdgeConfig['nats'], log: Logger<EdgeLogEvent>): Promise<StreamConnection> {
  const tlsCa = nats.tlsCaFile === undefined ? undefined : await readSecret(nats.tlsCaFile);
  return connectStreams({
    servers: nats.servers.map(formatHostPort),
    user: 'edge',
    login: nats.user,
    password: nats.passwordFile === undefined ? '' : await readSecret(nats.passwordFile),
    ...(tlsCa === undefined ? {} : { tlsCa }),
    onState: (state, detail) => log.warn('edge.stream.changed', { state, detail }),
  });
}

/** False: not sent, the connection being away. */
export function traceSender(streams: StreamConnection): (bytes: Uint8Array) => boolean {
  return (bytes) => {
    if (streams.state() !== 'connected' || streams.nats.isClosed()) return false;
    streams.nats.publish(traceSubject('edge'), bytes);
    return true;
  };
}

export interface PolicyPods {
  readonly client: PolicyClient;
  close(): void;
}

export async function openPolicy(
  { config, telemetry, scope }: Caller,
  clock: Clock,
  metrics: EdgeMetrics,
): Promise<PolicyPods> {
  const { log } = telemetry;
  const { addresses, deadline } = config.edge.policy;
  const client = createPolicyClient({
    clock,
    connect: (address) =>
      createClient(PolicyServiceClient, {
        address,
        telemetry,
        deadlineMs: deadline,
        unavailable: 'policy-unavailable',
        maxMessageBytes: maxPolicyMessage,
        keepalive: policyKeepalive,
        ...(scope === undefined ? {} : { scope }),
      }),
    onPod: (address, isOpen) => log.info(isOpen ? 'edge.policy.opened' : 'edge.policy.lost', { address }),
    onAnswer: (outcome, seconds) => metrics.policySeconds.with({ outcome }).observe(seconds),
  });
  const pods = await watchPods(addresses, clock, (found) => client.use(found));
  return {
    client,
    close() {
      pods.stop();
      client.close();
    },
  };
}

export function openCredentials({ config, telemetry, scope }: Caller) {
  const { address, deadline } = config.edge.credentials;
  return createClient(CredentialServiceClient, {
    address: formatHostPort(address),
    telemetry,
    deadlineMs: deadline,
    unavailable: 'credentials-unavailable',
    ...(scope === undefined ? {} : { scope }),
  });
}
