/**
 * Garbage to every gRPC port: no scope, a forged one, broken frames, broken messages, broken HTTP/2. Expected: refused with a status that blames the
 * caller, nothing ends, health stays. A call without a valid scope or key never succeeds, whatever else is wrong with it.
 */
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { signScope } from '@postern/grpc';
import { CredentialServiceService } from '@postern/proto/directory/v1/credential_service';
import { EvaluateRequest, PolicyServiceService } from '@postern/proto/policy/v1/policy_service';
import { ProvisioningServiceService } from '@postern/proto/provisioning/v1/provisioning_service';
import { QueueServiceService } from '@postern/proto/queue/v1/queue_service';
import type { Cluster } from '../cluster/cluster.js';
import { portOf, setting } from './cluster-files.js';
import { mutate } from './grammar.js';
import { frame, isServing, openSession, type RawAnswer, type RawCall, rawCall } from './grpc-call.js';
import { noise, sayNoise } from './http2-noise.js';
import { type AttackContext, checkMailGoesOn } from './mail-goes-on.js';
import { watchProcesses } from './process-watch.js';
import { Chance, seedOf } from './random.js';

interface Port {
  readonly name: string;
  readonly port: number;
  readonly paths: readonly [string, ...string[]];
  /** Metadata of a caller with every right. */
  readonly rights: Readonly<Record<string, string>>;
}

const callsPerPort = 400;
const noisesPerPort = 60;

const unauthenticated = 16;
const internal = 13;
/** OK, CANCELLED, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNIMPLEMENTED. */
const blamesCaller = new Set([0, 1, 3, 4, 5, 6, 7, 8, 9, 12, unauthenticated]);

const pathsOf = (service: Readonly<Record<string, { readonly path: string }>>): readonly [string, ...string[]] => {
  const [first = '', ...more] = Object.values(service).map(({ path }) => path);
  return [first, ...more];
};

async function portsOf(cluster: Cluster): Promise<Port[]> {
  const key = await readFile(await setting(cluster, 'policy-0', 'scopeKeyFile'));
  const { provisioning } = await cluster.run();
  const apiKey = (await readFile(provisioning.keyFile, 'utf8')).trim();
  const scope = (service: string): Record<string, string> => ({
    'postern-scope': signScope({ service, tenant: '*', roles: ['operator'], expiresAt: Date.now() + 600_000 }, key),
  });
  const listen = async (instance: string, ...path: string[]): Promise<number> =>
    portOf(await setting(cluster, instance, ...path));
  return [
    {
      name: 'policy',
      port: await listen('policy-0', 'policy', 'listen'),
      paths: pathsOf(PolicyServiceService),
      rights: scope('edge'),
    },
    {
      name: 'queue',
      port: await listen('queue-0', 'queue', 'listen'),
      paths: pathsOf(QueueServiceService),
      rights: scope('provisioning'),
    },
    {
      name: 'credentials',
      port: await listen('provisioning-0', 'provisioning', 'credentialsListen'),
      paths: pathsOf(CredentialServiceService),
      rights: scope('edge'),
    },
    {
      name: 'provisioning',
      port: await listen('provisioning-0', 'provisioning', 'listen'),
      paths: pathsOf(ProvisioningServiceService),
      rights: { authorization: `Bearer ${apiKey}` },
    },
  ];
}

function message(chance: Chance): Buffer {
  const valid = EvaluateRequest.encode(
    EvaluateRequest.fromPartial({ sessionId: 'x'.repeat(26), sequence: 1, traceparent: 'y'.repeat(55) }),
  ).finish();
  return chance.pick([
    () => Buffer.alloc(0),
    () => chance.bytes(chance.between(1, 300)),
    () => Buffer.from([0x0a, 0xff]),
    () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x41]),
    () => Buffer.from('ffffffffffffffffffff01', 'hex'),
    () => Buffer.alloc(3_000, 0x0b),
    () => mutate(chance, Buffer.from(valid), chance.between(1, 6)),
    () => Buffer.from([0x0a, 0x04, 0xff, 0xfe, 0xfd, 0x00]),
  ])();
}

function framed(chance: Chance): Buffer[] {
  const body = message(chance);
  return chance.pick([
    () => [frame(body)],
    () => [frame(body)],
    () => [frame(body), frame(message(chance)), frame(message(chance))],
    () => [frame(body).subarray(0, chance.between(0, 4))],
    () => [frame(body, body.length + chance.between(1, 5_000))],
    () => [frame(body, Math.max(0, body.length - 1))],
    () => [frame(body, 0xffffffff)],
    () => [frame(body, body.length, 1)],
    () => [frame(gzipSync(Buffer.alloc(2_000_000)), undefined, 1)],
    () => [frame(body, body.length, chance.between(2, 255))],
    () => [chance.bytes(200)],
    () => [...frame(body)].map((octet) => Buffer.from([octet])),
  ])();
}

type Rights = 'none' | 'forged' | 'full';

function callOf(chance: Chance, port: Port, rights: Rights): RawCall {
  const forged = chance.pick([
    { 'postern-scope': 'x.y' },
    { 'postern-scope': chance.word(3_000) },
    { 'postern-scope': `${port.rights['postern-scope'] ?? ''}x` },
    { authorization: 'Bearer postern_x_y' },
    { authorization: 'Basic eA==' },
    { authorization: `Bearer postern_operator_${chance.word(43)}` },
    { authorization: '' },
  ]);
  const strange: Record<string, string> = chance.yes(0.3)
    ? chance.pick<Record<string, string>>([
        { 'grpc-timeout': 'abc' },
        { 'grpc-timeout': '1n' },
        { 'grpc-timeout': '99999999H' },
        { 'grpc-encoding': 'gzip' },
        { 'grpc-encoding': 'nonsense' },
        { 'x-bin': '!!!not base64!!!' },
        { traceparent: 'zz' },
        { 'x-long': 'x'.repeat(7_000) },
      ])
    : {};
  return {
    headers: {
      ':path': chance.pick(port.paths),
      'content-type': 'application/grpc',
      ...(rights === 'full' ? port.rights : rights === 'forged' ? forged : {}),
      ...strange,
    },
    parts: framed(chance),
    ending: chance.pick(['end', 'end', 'end', 'end', 'end', 'end', 'reset', 'abandon']),
  };
}

/** Requests that are no gRPC calls of this service. */
function strayCall(chance: Chance, port: Port): RawCall {
  const path = chance.pick([
    '/',
    '/x',
    `${port.paths[0]}x`,
    '/grpc.health.v1.Health/Nothing',
    '/__proto__/constructor',
    `/${'y'.repeat(4_000)}`,
  ]);
  const headers = chance.pick([
    { ':path': path, 'content-type': 'application/grpc' },
    { ':path': port.paths[0], 'content-type': 'text/html' },
    { ':path': port.paths[0] },
    { ':path': port.paths[0], ':method': 'GET', 'content-type': 'application/grpc' },
    { ':path': port.paths[0], 'content-type': 'application/grpc-web+proto' },
  ]);
  return { headers: { ...port.rights, ...headers }, parts: [frame(message(chance))], ending: 'end' };
}

function judge(call: RawCall, rights: Rights, answer: RawAnswer): string | undefined {
  if (call.ending === 'reset') return undefined;
  // A client that abandons its call may be waited for as long as it likes; its stream is ours to end.
  if (answer.kind === 'silence') return call.ending === 'end' ? 'no answer' : undefined;
  if (answer.kind === 'reset') return undefined;
  if (answer.http !== 200) return answer.http >= 500 ? `HTTP ${answer.http}` : undefined;
  if (rights !== 'full' && answer.grpc === 0) return 'answered OK without rights';
  if (blamesCaller.has(answer.grpc)) return undefined;
  // The protocol itself says INTERNAL for a frame that is compressed without a codec, or cut (gRPC compression.md), and so does grpc-js for a deadline it cannot read.
  const broken = !isFramed(Buffer.concat(call.parts)) || call.headers['grpc-timeout'] === 'abc';
  return answer.grpc === internal && broken ? undefined : `status ${answer.grpc}`;
}

/** Whole frames, none compressed. */
function isFramed(bytes: Buffer): boolean {
  let at = 0;
  while (at + 5 <= bytes.length) {
    if (bytes[at] !== 0) return false;
    at += 5 + bytes.readUInt32BE(at + 1);
  }
  return at === bytes.length;
}

async function fuzzPort(
  port: Port,
  seed: number,
): Promise<{ readonly problems: string[]; readonly histogram: string }> {
  const problems: string[] = [];
  const histogram = new Map<string, number>();
  let session = openSession(port.port);
  const one = async (number: number): Promise<void> => {
    const chance = new Chance(seedOf(seed, number));
    const kind = chance.pick(['none', 'forged', 'full', 'full', 'stray'] as const);
    const rights: Rights = kind === 'stray' ? 'full' : kind;
    const call = kind === 'stray' ? strayCall(chance, port) : callOf(chance, port, rights);
    if (session.closed || session.destroyed) session = openSession(port.port);
    const answer = await rawCall(session, call);
    const name =
      answer.kind === 'status'
        ? `${kind} ${answer.grpc}${answer.http === 200 ? '' : `/${answer.http}`}`
        : `${kind} ${answer.kind}`;
    histogram.set(name, (histogram.get(name) ?? 0) + 1);
    const problem = judge(call, rights, answer);
    if (problem !== undefined)
      problems.push(
        `${port.name} call ${number} (${kind}): ${problem}; ${JSON.stringify({ ...call.headers, ...port.rights, authorization: '-', 'postern-scope': '-' }).slice(0, 160)} ${Buffer.concat(call.parts).subarray(0, 40).toString('hex')}`,
      );
  };
  for (let number = 0; number < callsPerPort; number += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, index) => one(number + index)));
  }
  session.destroy();
  const chance = new Chance(seed);
  for (let left = noisesPerPort; left > 0; left -= 10) {
    await Promise.all(Array.from({ length: 10 }, () => sayNoise(port.port, noise(chance))));
  }
  if (!(await isServing(port.port))) problems.push(`${port.name} does not answer health`);
  return {
    problems,
    histogram: [...histogram]
      .map(([name, count]) => `${name}: ${count}`)
      .sort()
      .join(', '),
  };
}

export async function fuzzPorts(context: AttackContext): Promise<void> {
  const { report, cluster, seed } = context;
  const watch = await watchProcesses(cluster);
  for (const port of await portsOf(cluster)) {
    await report.part(`${port.name} port`, async () => {
      const { problems, histogram } = await fuzzPort(port, seed);
      report.say(`        ${port.name}: ${histogram}`);
      report.check(`${callsPerPort} calls and ${noisesPerPort} raw connections to the ${port.name} port`, problems);
    });
  }
  watch.stop();
  report.check('no process ended by bad proto', await watch.changes());
  await checkMailGoesOn(context, 'bad proto');
}
