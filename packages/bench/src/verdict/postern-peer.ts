/**
 * Peer `postern`: the policy service of a running cluster, asked over the stream an edge uses and in its two steps: the envelope at RCPT, then
 * the message with the findings so far. Counts the policy process alone.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import { startCluster } from '@postern/e2e/cluster';
import { createClient, createScopeSource } from '@postern/grpc';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import {
  EvaluateRequest,
  type EvaluateResponse,
  PolicyServiceClient,
  type SessionResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { parse } from 'yaml';
import { rules } from '../peers/profile.js';
import type { JudgePeer } from './judge-peer.js';
import { blocklists, type Letter, recipient } from './load.js';

const wanted = { spf: 'pass', dnsbl: 'clear', dkim: 'pass', dmarc: 'pass' };

interface PolicyFile {
  readonly scopeKeyFile: string;
  readonly policy: { readonly listen: string };
}

const isPolicyFile = (value: unknown): value is PolicyFile =>
  typeof value === 'object' && value !== null && 'scopeKeyFile' in value && 'policy' in value;

/** The configuration the policy process was started with: where it listens and the key of its callers. */
async function policyFile(dataDir: string): Promise<PolicyFile> {
  const names = await readdir(dataDir, { recursive: true });
  const name = names.find((one) => /policy[^/]*\.ya?ml$/.test(one));
  const document: unknown = name === undefined ? undefined : parse(await readFile(join(dataDir, name), 'utf8'));
  if (!isPolicyFile(document)) throw new Error(`no configuration of the policy service in ${dataDir}`);
  return document;
}

export interface PosternPeer extends JudgePeer {
  /** A large message, by the call an edge uses while it spools. */
  upload(letter: Letter): Promise<void>;
  /** Where the policy process shows its metrics. */
  readonly metrics: string;
}

const chunkBytes = 256 * 1_024;
const credit = 250;

export async function posternPeer(dnsServer: string, bodyThreads: number): Promise<PosternPeer> {
  const cluster = await startCluster({
    dns: dnsServer,
    config: {
      checks: {
        spf: { enabled: true, onFail: 'mark' },
        dkim: { enabled: true, onFail: 'mark' },
        dmarc: { enabled: true, onFail: 'mark' },
        dnsbl: { enabled: true, onFail: 'mark', zones: blocklists },
      },
      rules,
      policy: { bodyThreads },
      tenants: [
        {
          name: 'bench',
          domains: [{ name: 'bench.test' }],
          users: [{ address: recipient, password: 'bench-password-1' }],
        },
      ],
    },
  });
  const { scopeKeyFile, policy } = await policyFile(cluster.dataDir);
  const scope = createScopeSource({ service: 'edge', key: await readFile(scopeKeyFile), clock: systemClock });
  const telemetry = captureTelemetry('bench');
  const client = createClient(PolicyServiceClient, { address: policy.listen, telemetry, deadlineMs: 10_000, scope });
  const stream = client.duplex(client.rpc.session);
  const waiting = new Map<number, (response: SessionResponse) => void>();
  stream.on('data', (response: SessionResponse) => {
    waiting.get(response.requestId)?.(response);
    waiting.delete(response.requestId);
    places.shift()?.();
  });
  stream.on('error', () => undefined);
  let lastId = 0;
  const places: (() => void)[] = [];
  const ask = async (value: EvaluateRequest): Promise<EvaluateResponse> => {
    // As an edge does: what exceeds the credit of the pod waits here, and its wait counts.
    while (waiting.size >= credit) await new Promise<void>((resolve) => places.push(resolve));
    const requestId = ++lastId;
    const answer = new Promise<SessionResponse>((resolve) => waiting.set(requestId, resolve));
    stream.write({ requestId, deadlineMs: 10_000, kind: { $case: 'evaluate', value } });
    const { kind } = await answer;
    if (kind?.$case !== 'verdict') throw new Error(`postern: ${JSON.stringify(kind)}`);
    return kind.value;
  };
  return {
    name: 'postern',
    pids: await cluster.pids('policy'),
    async judge(letter) {
      const facts = factsOf(letter);
      const first = EvaluateRequest.fromPartial({ sessionId: 's', sequence: 1, stages: envelope, facts });
      const { findings } = await ask(first);
      const content = letter.data;
      const second = { sessionId: 's', sequence: 2, stages: atEnd, content, contentSize: content.length };
      const verdict = await ask(EvaluateRequest.fromPartial({ ...second, facts: { ...facts, findings } }));
      const all = new Map([...findings, ...verdict.findings].map(({ check, outcome }) => [check, outcome]));
      for (const [check, outcome] of Object.entries(wanted))
        if (all.get(check) !== outcome) throw new Error(`postern: ${check} is ${all.get(check)}`);
    },
    metrics: (await cluster.run()).services.find(({ name }) => name === 'policy')?.metrics ?? '',
    async upload(letter) {
      const { stream: up, response } = client.upload(client.rpc.content, { deadlineMs: 60_000 });
      const { data } = letter;
      const start = EvaluateRequest.fromPartial({ sessionId: 's', sequence: 2, stages: atEnd, facts: factsOf(letter) });
      up.write({ kind: { $case: 'start', value: start } });
      for (let at = 0; at < data.length; at += chunkBytes)
        if (!up.write({ kind: { $case: 'chunk', value: data.subarray(at, at + chunkBytes) } }))
          await new Promise((resolve) => up.once('drain', resolve));
      up.end({ kind: { $case: 'end', value: { size: data.length, deadlineMs: 0 } } });
      const outcome = (await response).verdict?.findings.find(({ check }) => check === 'dkim')?.outcome;
      if (outcome !== 'pass') throw new Error(`postern: dkim of a large message is ${outcome}`);
    },
    async stop() {
      stream.cancel();
      client.close();
      await cluster.stop();
    },
  };
}

const envelope = [Stage.CONNECT, Stage.EHLO, Stage.MAIL, Stage.RCPT];
const atEnd = [Stage.HEADERS, Stage.BODY];

const factsOf = ({ clientAddress, helo, from }: Letter) => ({
  origin: { clientAddress, clientPort: 40_000, helo, listener: 'mx' },
  listenerRole: 'mx',
  esmtp: true,
  reversePath: from,
  hasReversePath: true,
  recipients: [{ address: recipient, tenant: 'bench', recipientClass: RecipientClass.LOCAL, asked: true }],
});
