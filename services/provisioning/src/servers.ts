/** The two ports of provisioning: the public API, and the credential service, which only edges with a signed scope may ask. Made here, not yet listening. */
import type { Clock, Random } from '@postern/clock';
import { readSecretBytes } from '@postern/config';
import { createServer, type GrpcServer, requireScope, unary } from '@postern/grpc';
import { CredentialServiceService } from '@postern/proto/directory/v1/credential_service';
import { ProvisioningServiceService } from '@postern/proto/provisioning/v1/provisioning_service';
import type { Telemetry } from '@postern/telemetry';
import type { ProvisioningConfig } from './config.js';
import { createChallenges } from './credentials/challenge.js';
import type { HashSlots } from './credentials/hash-slots.js';
import { createStanding } from './credentials/standing.js';
import { createVerifier } from './credentials/verify.js';
import type { WithTenant } from './database/tenant-scope.js';
import type { ProvisioningEvent } from './events.js';
import type { ProvisioningMetrics } from './metrics.js';
import type { OperatorSource } from './operator/source.js';
import type { Sealer } from './secrets/seal.js';
import { type ApiParts, provisioningHandlers } from './server.js';

const largestRequest = 1_048_576;

export interface ApiServerParts extends ApiParts {
  readonly telemetry: Telemetry<ProvisioningEvent>;
  readonly clock: Clock;
}

export async function apiServer(
  { tls }: ProvisioningConfig['provisioning'],
  { telemetry, clock, ...parts }: ApiServerParts,
): Promise<GrpcServer> {
  const server = createServer({
    telemetry,
    clock,
    maxMessageBytes: largestRequest * 4,
    ...(tls === undefined
      ? {}
      : { tls: { cert: await readSecretBytes(tls.certFile), key: await readSecretBytes(tls.keyFile) } }),
  });
  server.add(ProvisioningServiceService, provisioningHandlers(parts));
  return server;
}

export interface CredentialServerParts {
  readonly telemetry: Telemetry<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly scopeKey: Buffer;
  readonly withTenant: WithTenant;
  readonly sealer: Sealer;
  readonly hashSlots: HashSlots;
  readonly operator: Pick<OperatorSource, 'current'>;
}

export function credentialServer(
  { credentials }: ProvisioningConfig['provisioning'],
  { telemetry, scopeKey, operator, ...parts }: CredentialServerParts,
): GrpcServer {
  const { clock } = parts;
  const server = createServer({
    telemetry,
    clock,
    maxMessageBytes: largestRequest,
    interceptors: [requireScope({ key: scopeKey, clock, services: ['edge'] })],
  });
  const verify = createVerifier({
    ...parts,
    log: telemetry.log,
    issuers: () => operator.current().oauthIssuers,
    realms: () => operator.current().kerberosRealms,
    cacheForMs: credentials.cacheFor,
  });
  server.add(CredentialServiceService, {
    getChallenge: unary(createChallenges(parts)),
    verify: unary(verify),
    getStanding: unary(createStanding(parts)),
  });
  return server;
}
