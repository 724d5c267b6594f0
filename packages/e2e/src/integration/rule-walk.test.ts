/** Every action of rules at every event, in a running cluster: seen on the wire, named in trace, counted in the metric of who carried it out. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { buildMessage, type SmtpReply, SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { explained, queueIdOf, sessionIdOf } from './explanation.js';
import { password, users, withMailWorld } from './mail-world.js';
import {
  clientName,
  factRules,
  factsAddress,
  factsMessage,
  knownAfterFailure,
  knownAtBody,
  knownOfLogin,
  loginAddress,
  refusedRecipient,
} from './rule-facts.js';
import { type Case, cases, listedAddresses, type Play, refusedByChecks, type Seen } from './rule-walk.js';

const reversed = (address: string): string => address.split('.').reverse().join('.');
const listedNames = Object.fromEntries(
  listedAddresses.map((address) => [`${reversed(address)}.bl.test`, { A: ['127.0.0.2'] }] as const),
);

const world = withMailWorld({
  zone: {
    ...listedNames,
    'client.test': { A: ['127.0.0.1'] },
    [`${reversed(factsAddress)}.in-addr.arpa`]: { PTR: [clientName] },
    [clientName]: { A: [factsAddress] },
    [`${reversed(factsAddress)}.bl.test`]: { A: ['127.0.0.2'], TXT: ['known here'] },
    'strict.test': { MX: [[10, 'mx.good.test']] },
    '_dmarc.strict.test': { TXT: ['v=DMARC1; p=reject'] },
  },
  config: {
    hostname: 'gate.acme.test',
    limits: { connectionsPerIp: 0, connectionRatePerIp: 0 },
    relayNetworks: [{ network: '127.21.0.0/16', tenant: 'acme' }],
    retry: { first: '1s', cap: '1s', lifetime: '30s', delayNotice: '1s' },
    listeners: { submission: { requireTls: false, authMechanismsPlain: ['PLAIN', 'LOGIN'] } },
    checks: {
      dnsbl: { enabled: true, zones: ['bl.test'], selfTest: false, onFail: 'reject' },
      helo: { enabled: true, onFail: 'reject' },
      ptr: { enabled: true, onFail: 'mark' },
      arc: { enabled: true },
      spf: { onFail: 'reject' },
      dmarc: { onFail: 'reject' },
      identity: { enabled: true, onFail: 'reject' },
      lists: { enabled: true, onFail: 'reject', block: ['blocked@plain.test'] },
    },
    rules: [
      ...cases.map(({ rule }) => rule),
      ...factRules,
      {
        id: 'tagged',
        event: 'relay',
        when: 'message.tags.exists(t, t == "walked")',
        then: [{ route: { helo: 'tagged.test' } }],
      },
    ],
  },
});

const line = ({ code, text }: SmtpReply): string => `${code} ${text}`;

interface Told {
  /** Taken at MAIL. */
  readonly sender: string | undefined;
  readonly banner: SmtpReply;
  readonly hello: SmtpReply | undefined;
  /** The first refusal, else the reply to the message. */
  readonly last: SmtpReply;
  readonly ended: boolean;
}

/** The reply to it, and the one that the session is over. */
async function nonsense(sender: SmtpSender): Promise<SmtpReply> {
  await sender.command('NONSENSE');
  return sender.reply();
}

async function played(
  address: string,
  id: string,
  event: string,
  play: Play,
  logsIn = event === 'auth',
): Promise<Told> {
  const sender = await SmtpSender.open({
    port: await world.cluster.port(logsIn ? 'submission' : 'mx'),
    localAddress: address,
  });
  const banner = await sender.reply();
  let hello: SmtpReply | undefined;
  let last = banner;
  let taken: string | undefined;
  const { from = logsIn ? 'bob@acme.test' : `${event}@good.test`, to = ['bob@acme.test'], author = from } = play;
  const parameters = play.mailParameters === undefined ? '' : ` ${play.mailParameters}`;
  const steps: (() => Promise<SmtpReply>)[] = [
    async () => (hello = await sender.command(`EHLO ${play.helo ?? 'client.test'}`)),
    ...(logsIn ? [() => sender.auth('bob@acme.test', password)] : []),
    ...Array.from({ length: play.nonsense ?? 0 }, () => () => nonsense(sender)),
    async () => {
      const reply = await sender.command(`MAIL FROM:<${from}>${parameters}`);
      if (reply.code === 250) taken = from;
      return reply;
    },
    ...to.map((address) => () => sender.command(`RCPT TO:<${address}>`)),
    () => sender.command('DATA'),
    () => {
      const data = buildMessage({ from: author, to: to.join('>, <'), id, subject: `walk ${id}` });
      sender.write(data);
      return sender.command('.');
    },
  ];
  for (const step of steps) {
    if (last.code >= 400) break;
    last = await step();
  }
  const ended =
    last.code === 421 &&
    (await sender.reply().then(
      () => false,
      () => true,
    ));
  if (!ended) await sender.quit();
  return { banner, hello, last, ended, sender: taken };
}

const patience = { timeout: 30_000, interval: 250 };
const copies = (id: string) =>
  world.nextHop.having(`<${id}@client.test>`).filter(({ reversePath }) => reversePath !== '');

interface Traced {
  readonly queueId: string;
  readonly sessionId: string;
}
const asked = new Map<string, { readonly at: number; readonly answer: Promise<readonly Traced[]> }>();

/** All of a sender in one question, at most one a second: a hundred cases are hundreds of programs otherwise. */
function listed(sender: string): Promise<readonly Traced[]> {
  const known = asked.get(sender);
  if (known !== undefined && performance.now() - known.at < 1_000) return known.answer;
  const answer = world.cluster
    .ctl('--json', 'trace', '--sender', sender, '--limit', '100')
    .then(({ stdout }): readonly Traced[] => JSON.parse(stdout));
  asked.set(sender, { at: performance.now(), answer });
  return answer;
}

/** `sender`: where the session has named one. */
async function told(id: string, sender: string | undefined, ...parts: readonly RegExp[]): Promise<void> {
  if (sender === undefined) {
    await explained(world.cluster, id, ...parts);
    return;
  }
  await vi.waitFor(async () => {
    const found = (await listed(sender)).find(({ queueId, sessionId }) => queueId === id || sessionId === id);
    const text = JSON.stringify(found ?? {}, null, 2);
    for (const part of parts) expect(text).toMatch(part);
  }, patience);
}

async function arrived(id: string, { play, seen }: Case): Promise<void> {
  const wanted = [...(seen.arrivesFor ?? play.to ?? ['bob@acme.test'])].sort();
  const got = () =>
    copies(id)
      .flatMap(({ recipients }) => recipients)
      .sort();
  await vi.waitFor(() => expect(got()).toEqual(wanted), patience);
  for (const { data, client, reversePath } of copies(id)) {
    const text = data.toString();
    if (seen.arrivesWith !== undefined) expect(text).toMatch(seen.arrivesWith);
    if (seen.arrivesWithout !== undefined) expect(text).not.toMatch(seen.arrivesWithout);
    if (seen.arrivesFrom !== undefined) expect(reversePath).toBe(seen.arrivesFrom);
    if (seen.greetedAs !== undefined) expect(client.greeting).toBe(seen.greetedAs);
  }
}

async function reported(id: string, { report }: Seen): Promise<void> {
  if (report === undefined) return;
  const reports = () => world.nextHop.having(`<${id}@client.test>`).filter(({ reversePath }) => reversePath === '');
  await vi.waitFor(
    () =>
      expect(
        reports()
          .map(({ data }) => data.toString())
          .join(),
      ).toMatch(report),
    patience,
  );
}

test.each(refusedByChecks)('without a rule a check of %s refuses', async (_event, play) => {
  expect((await played('127.22.0.2', 'none', 'none', play)).last.code).toBe(550);
});

test('without a rule who is listed is refused, and a login holds to its own address', async () => {
  expect((await played(listedAddresses[1], 'none', 'none', {})).last.code).toBe(554);
  expect((await played('127.22.0.2', 'none', 'auth', { from: 'carol@acme.test' })).last.code).toBe(550);
  expect(users).toContain('carol');
});

test.concurrent.each(cases.map((one) => [one.id, one] as const))('%s', async (id, one) => {
  const { event, address, play, seen } = one;
  const named = new RegExp(`\\b${id}@1`);
  const logsIn = event === 'auth' || seen.offered !== undefined;
  const { banner, hello, last, ended, ...by } = await played(address, id, event, play, logsIn);
  const sender = seen.arrivesFrom === undefined ? by.sender : undefined;
  if (seen.banner !== undefined) expect(banner.text).toMatch(seen.banner);
  if (seen.offered !== undefined) {
    expect(hello?.lines.filter((offer) => offer.startsWith('AUTH'))).toEqual([seen.offered]);
    expect(last.code).toBe(538);
    await told(sessionIdOf(last), sender, named);
    return;
  }
  if (seen.refusal !== undefined) {
    expect(line(last)).toMatch(seen.refusal);
    expect(ended).toBe(last.code === 421);
    await told(sessionIdOf(last), sender, named);
    return;
  }
  expect(line(last)).toMatch(/^250 /);
  await told(queueIdOf(last), sender, named, ...(seen.trace ?? []));
  await Promise.all([arrived(id, one), reported(id, seen)]);
});

/** Numbers of the conditions that were so, and of those that were not. */
const written = (text: string, how: 'saw' | 'not'): number[] =>
  [...text.matchAll(new RegExp(`\\b${how} (\\d+)\\.`, 'g'))].map(([, index]) => Number(index)).sort((a, b) => a - b);
const all = (conditions: readonly string[]): number[] => conditions.map((_, index) => index);

function expectAll(text: string, conditions: readonly string[]): void {
  expect(written(text, 'not').map((index) => conditions[index])).toEqual([]);
  expect(written(text, 'saw')).toEqual(all(conditions));
}

test('every fact a condition may name is known, up to the end of data and after a failure', async () => {
  const sender = await SmtpSender.open({ port: await world.cluster.port('mx'), localAddress: factsAddress });
  await sender.greet();
  expect((await sender.command('STARTTLS')).code).toBe(220);
  await sender.startTls();
  await sender.command('EHLO client.test');
  const first = buildMessage({ from: 'first@good.test', to: 'bob@acme.test', id: 'facts-first' });
  expect((await sender.send({ from: 'first@good.test', to: ['bob@acme.test'], data: first })).code).toBe(250);
  expect((await sender.command('NONSENSE')).code).toBe(500);
  const to = ['bob@acme.test', refusedRecipient];
  const data = factsMessage;
  const last = await sender.send({ from: 'Facts@GOOD.test', to, data, mailParameters: 'SIZE=4321' });
  expect(line(last)).toMatch(/^250 /);
  await sender.quit();
  await vi.waitFor(() => expect(copies('facts')).toHaveLength(1), patience);
  expectAll(copies('facts')[0]?.data.toString() ?? '', knownAtBody);
  const reports = () => world.nextHop.having('<facts@client.test>').filter(({ reversePath }) => reversePath === '');
  await vi.waitFor(() => expect(reports()).toHaveLength(1), patience);
  const [human = ''] = (reports()[0]?.data.toString() ?? '').split('Reporting-MTA');
  expectAll(human, knownAfterFailure);
});

test('who logged in and how is known', async () => {
  const { last } = await played(loginAddress, 'facts-login', 'auth', {});
  expect(line(last)).toMatch(/^250 /);
  await vi.waitFor(() => expect(copies('facts-login')).toHaveLength(1), patience);
  expectAll(copies('facts-login')[0]?.data.toString() ?? '', knownOfLogin);
});

test('what rules decided is counted, each by who carried it out', async () => {
  const { services } = await world.cluster.run();
  const texts = await Promise.all(
    services
      .filter(({ name }) => ['edge', 'policy', 'queue'].includes(name))
      .map(async ({ metrics }) => (await fetch(new URL('/metrics', metrics))).text()),
  );
  const counted = new Set(
    [
      ...texts
        .join('\n')
        .matchAll(/^postern_\w+_rule_decisions_total\{[^}]*event="([\w-]+)"[^}]*action="(\w+)"[^}]*\} [1-9]/gm),
    ].map(([, event, action]) => `${event}-${action}`),
  );
  expect(cases.filter(({ event, action }) => !counted.has(`${event}-${action}`)).map(({ id }) => id)).toEqual([]);
});
