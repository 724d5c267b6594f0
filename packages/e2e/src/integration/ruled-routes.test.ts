/**
 * Rules about delivery on the wire: the recipes of docs/recipes that choose a way, as they are but for names and addresses of this machine, and what
 * rules do after a failure. The next hops tell who connected, from where, with which greeting, TLS and login.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testAuthority } from '@postern/testkit';
import { buildMessage, type SunkClient } from '@postern/testkit/smtp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../cluster/index.js';
import { explained, queueIdOf } from './explanation.js';
import { withMailWorld } from './mail-world.js';
import { type NextHopServer, reserveNextHop } from './next-hop-server.js';

const { key, cert } = testAuthority().issue(['127.0.0.1']);
const route1 = await reserveNextHop();
const route2 = await reserveNextHop();
const modern = await reserveNextHop(['AUTH PLAIN', 'SIZE 100000'], { key, cert });
const old = await reserveNextHop(undefined, { key, cert, maxVersion: 'TLSv1.2' });
const servers = [route1, route2, modern, old];

const recipe = (name: string, changes: Readonly<Record<string, string>>): readonly object[] => {
  let text = readFileSync(join(projectRoot, 'docs/recipes', name), 'utf8');
  for (const [from, to] of Object.entries(changes)) text = text.replaceAll(from, to);
  return parse(text).rules;
};

const hop = ({ port }: NextHopServer, more: object = {}) => ({
  hosts: [{ host: '127.0.0.1', port, tls: 'none', ...more }],
});

const rules = [
  ...recipe('route-by-sender-domain.yaml', { '192.0.2.1': '127.0.0.11', 'one.example.test': 'good.test' }),
  ...recipe('tls-versions-through-smart-host.yaml', {}).map((rule) => ({ priority: 300, ...rule })),
  {
    id: 'old-partner',
    event: 'relay',
    priority: 310,
    when: 'recipient.domain == "old.test"',
    then: [{ route: { to: 'old', tlsVersions: ['TLSv1.3'] } }, { retrySchedule: { delays: [1], giveUpAfter: 3 } }],
  },
  {
    id: 'told',
    event: 'delivery-failure',
    when: 'failure.code == 550 && delivery.attempt == 1',
    then: [{ ndrText: { text: 'Call the help desk: 12345' } }],
  },
  {
    id: 'busy-enough',
    event: 'temporary-failure',
    when: 'failure.code == 451 && recipient.user.startsWith("451-end")',
    then: [{ reject: { enhanced: '5.2.0', text: 'It was busy once too often' } }],
  },
  {
    id: 'told-of-busy',
    event: 'delivery-failure',
    when: 'failure.code == 451',
    then: [{ ndrText: { text: 'Write a letter instead' } }],
  },
  {
    id: 'held',
    event: 'temporary-failure',
    when: 'failure.code == 451 && recipient.user.startsWith("451-hold")',
    then: [{ hold: { reason: 'look at it' } }],
  },
  {
    tenant: 'acme',
    scope: 'dave@acme.test',
    id: 'nothing-for-dave',
    event: 'relay',
    then: [{ reject: { enhanced: '5.7.1', text: 'Dave reads nothing' } }],
  },
];

const world = withMailWorld({
  config: {
    hostname: 'gate.acme.test',
    relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }],
    rules,
    nextHops: {
      hop: hop(route2),
      route1: hop(route1),
      route2: hop(route2),
      smarthost: hop(modern, { tls: 'opportunistic', username: 'us', password: 'secret' }),
      old: hop(old, { tls: 'opportunistic' }),
    },
  },
});

beforeAll(() => Promise.all(servers.map((server) => server.open())));
afterAll(() => Promise.all(servers.map((server) => server.close())));

test('simulation says what these rules would decide, before anything is sent', async () => {
  const told = (...args: string[]) =>
    world.cluster
      .ctl('simulate', '--client', '127.0.0.1', '--from', 'a@good.test', ...args)
      .then(({ stdout }) => stdout);
  const first = await told('--to', 'x@far.test');
  expect(first).toMatch(/relay +<x@far\.test>: goes by route1 .*from 127\.0\.0\.11, as out\.good\.test/);
  expect(first).toContain('rule         route        domain-1-by-route-1@1 at relay');
  expect(first).toContain(
    '<x@far.test> if answered "550 5.0.0 Refused": comes back, report says "Call the help desk: 12345"',
  );
  const busy = await told('--to', '451-end@far.test', '--reply', '451 4.3.2 busy');
  expect(busy).toMatch(/temporary-failure <451-end@far\.test> if answered "451 4\.3\.2 busy": comes back/);
  expect(busy).toContain('report says "It was busy once too often');
  expect(busy).toContain('told-of-busy@1 at delivery-failure');
  expect(servers.flatMap(({ messages }) => messages)).toEqual([]);
});

const patience = { timeout: 60_000, interval: 250 };

async function sent(from: string, to: string, id: string): Promise<string> {
  const sender = await world.speak('mx');
  const reply = await sender.send({ from, to: [to], data: buildMessage({ from, to, id, subject: id }) });
  expect(`${reply.code} ${reply.text}`).toMatch(/^250 /);
  await sender.quit();
  return queueIdOf(reply);
}

async function arrived(server: NextHopServer, id: string): Promise<SunkClient | undefined> {
  await vi.waitFor(() => expect(server.having(id)).toHaveLength(1), patience);
  for (const other of servers) if (other !== server) expect(other.having(id)).toEqual([]);
  return server.having(id)[0]?.client;
}

test('domain 1 leaves by route 1 with address 1 and its greeting', async () => {
  const queueId = await sent('a@good.test', 'x@far.test', 'of-domain-1');
  expect(await arrived(route1, 'of-domain-1')).toMatchObject({ address: '127.0.0.11', greeting: 'out.good.test' });
  await explained(world.cluster, queueId, 'domain-1-by-route-1@1', /delivered/i);
});

test('all others leave by route 2, greeted with the host name of the operator', async () => {
  await sent('a@plain.test', 'x@far.test', 'of-another');
  expect(await arrived(route2, 'of-another')).toMatchObject({ address: '127.0.0.1', greeting: 'gate.acme.test' });
});

test('one domain through the smart host, logged in, over TLS 1.3', async () => {
  await sent('a@plain.test', 'x@partner.test', 'to-partner');
  expect(await arrived(modern, 'to-partner')).toMatchObject({ tlsVersion: 'TLSv1.3', login: 'us' });
});

test('a next hop without the version gets nothing, not even in plain; the schedule of the rule ends it', async () => {
  const queueId = await sent('a@plain.test', 'x@old.test', 'to-old');
  await explained(world.cluster, queueId, /expired/i, 'retrySchedule');
  // Its report, which returns the header section, goes the way of all others.
  const delivered = servers
    .flatMap(({ messages }) => messages)
    .filter(({ recipients }) => recipients.includes('x@old.test'));
  expect(delivered).toEqual([]);
});

const reports = (text: string) =>
  servers
    .flatMap(({ messages }) => messages)
    .filter(({ reversePath, data }) => reversePath === '' && data.includes(text));

test('words of a rule are in the report of what failed for good', async () => {
  const queueId = await sent('a@good.test', '550-gone@open.test', 'to-gone');
  await vi.waitFor(() => expect(reports('550-gone@open.test')).toHaveLength(1), patience);
  expect(reports('550-gone@open.test')[0]?.data.toString()).toContain('Call the help desk: 12345');
  await explained(world.cluster, queueId, 'queue.rule.applied', 'told@1', 'delivery-failure');
});

test('a rule ends what would be tried again, and its sender is told', async () => {
  const queueId = await sent('a@good.test', '451-end@open.test', 'to-busy');
  await vi.waitFor(() => expect(reports('451-end@open.test')).toHaveLength(1), patience);
  const report = reports('451-end@open.test')[0]?.data.toString() ?? '';
  expect(report).toContain('It was busy once too often');
  expect(report).toContain('Write a letter instead');
  // The status is ours; what the next hop said stands as it was said (RFC 3464 §2.3.6).
  expect(report).toMatch(/^Status: 5\.2\.0\r$/im);
  expect(report).toMatch(/^Diagnostic-Code: smtp; 451 4\.3\.0 not now\r$/im);
  await explained(world.cluster, queueId, /bounced/i, 'busy-enough@1', 'told-of-busy@1');
});

test('a rule holds what failed for now until an operator releases it', async () => {
  const queueId = await sent('a@good.test', '451-hold@open.test', 'to-hold');
  await explained(world.cluster, queueId, /"held"/i, 'held@1');
  expect(await world.cluster.ctlJson('queue', 'delete', queueId)).toMatchObject({ changed: 1 });
});

test('a rule of one user concerns that user only', async () => {
  const refused = await sent('a@good.test', 'dave@acme.test', 'to-dave');
  await explained(world.cluster, refused, /bounced/i, 'nothing-for-dave@1', 'Dave reads nothing');
  await sent('a@good.test', 'carol@acme.test', 'to-carol');
  await arrived(route2, 'to-carol');
});

test('a rule of a domain, saved by posternctl, is in force within two seconds and goes again', async () => {
  const file = join(world.cluster.dataDir, 'closed.yaml');
  await writeFile(file, 'event: relay\nthen:\n  - hold: { reason: closed for the day }\n');
  const saved = await world.cluster.ctl('rule', 'put', 'closed', file, '--tenant', 'acme', '--domain', 'open.test');
  expect(saved).toMatchObject({ code: 0, stdout: expect.stringContaining('domain open.test') });
  await vi.waitFor(async () => {
    const queueId = await sent('a@good.test', 'x@open.test', 'while-closed');
    await explained(world.cluster, queueId, /"held"/i, 'held by rule closed@1: closed for the day');
    // Released once it is not held by the same rule again.
    await world.cluster.ctl('queue', 'release', queueId);
    await explained(world.cluster, queueId, /delivered/i);
  }, patience);
  const removed = await world.cluster.ctl('rule', 'delete', 'closed', '--tenant', 'acme', '--domain', 'open.test');
  expect(removed.code).toBe(0);
});

test('what rules decided is counted', async () => {
  const { services } = await world.cluster.run();
  const metrics = services.find(({ name }) => name === 'queue')?.metrics ?? '';
  const text = await (await fetch(new URL('/metrics', metrics))).text();
  expect(text).toMatch(/postern_queue_rule_decisions_total\{[^}]*event="relay"[^}]*action="route"[^}]*\} [1-9]/);
  expect(text).toMatch(
    /postern_queue_rule_decisions_total\{[^}]*event="delivery-failure"[^}]*action="ndrText"[^}]*\} [1-9]/,
  );
});
