/**
 * Limits of a tenant's rule in a running cluster: felt by its own recipients and by nobody else, whoever is named first; declared sizes at RCPT, other
 * ones at the end of data. Simulation says what the wire says.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { type SmtpReply, stuff } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { explained, queueIdOf } from './explanation.js';
import { password, users, withMailWorld } from './mail-world.js';
import { simulatedReplies } from './simulated-replies.js';

const bob = 'bob@acme.test';
const carol = 'carol@acme.test';
const dave = 'dave@acme.test';
const narrow = ['one', 'two', 'three'].map((name) => `${name}@narrow.test`);
const [one = '', two = '', three = ''] = narrow;
const tenants = [
  {
    name: 'acme',
    domains: [{ name: 'acme.test', nextHop: 'hop' }],
    users: users.map((user) => ({ address: `${user}@acme.test`, password })),
  },
  { name: 'narrow', domains: [{ name: 'narrow.test', nextHop: 'hop', validateRecipients: false }] },
];
const ruleOf = (id: string, event: string, setLimit: object): object => {
  return { id, tenant: 'narrow', event, then: [{ setLimit }] };
};
const size = ruleOf('small', 'rcpt', { size: 1_000 });
const few = ruleOf('few', 'mail', { recipients: 2 });
const world = withMailWorld({
  edges: 2,
  policies: 2,
  config: { limits: { connectionsPerIp: 0, connectionRatePerIp: 0 }, tenants, rules: [size, few] },
});

const letter = (id: string, lines: number): Buffer =>
  Buffer.from(`From: a@good.test\r\nMessage-ID: <${id}@good.test>\r\nSubject: x\r\n\r\n${'words\r\n'.repeat(lines)}`);

const line = ({ code, text }: SmtpReply): string =>
  `${code} ${text.replace(/ \([0-9A-Z]{26}\)$/, '').replace(/queued as .*/, 'queued as')}`;
const ok = '250 2.1.5 recipient OK';
const queued = '250 2.6.0 queued as';
const apart = '452 4.5.3 send this recipient in a separate transaction';
const surplus = '452 4.5.3 no more than 2 recipients a message, send to the rest in another message';
const large = expect.stringMatching(/^552 5\.3\.4 /);

interface Spoken {
  readonly to: readonly string[];
  readonly data: Buffer;
  readonly declared?: boolean;
  readonly edge?: number;
}

interface Heard {
  readonly rcpt: readonly string[];
  readonly end: SmtpReply | undefined;
}

async function say({ to, data, declared = false, edge = 0 }: Spoken): Promise<Heard> {
  const sender = await world.speak('mx', { edge });
  try {
    await sender.command(`MAIL FROM:<a@good.test>${declared ? ` SIZE=${data.length}` : ''}`);
    const rcpt: string[] = [];
    for (const address of to) rcpt.push(line(await sender.command(`RCPT TO:<${address}>`)));
    if (!rcpt.includes(ok)) return { rcpt, end: undefined };
    expect((await sender.command('DATA')).code).toBe(354);
    sender.write(stuff(data));
    return { rcpt, end: await sender.command('.') };
  } finally {
    sender.destroy();
  }
}

const heard = ({ rcpt, end }: Heard): readonly string[] => [...rcpt, ...(end === undefined ? [] : [line(end)])];

const long = (id: string): Buffer => letter(id, 1_000);
const short = (id: string): Buffer => letter(id, 1);

test.each<[string, Spoken, readonly unknown[]]>([
  ['who has the limit comes apart', { to: [bob, one], data: long('later') }, [ok, apart, queued]],
  ['and so does who has none', { to: [one, bob, two], data: long('first') }, [ok, apart, ok, large]],
  ['by itself', { to: [bob, carol], data: long('none') }, [ok, ok, queued]],
  ['small enough', { to: [one, two], data: short('short') }, [ok, ok, queued]],
  ['declared', { to: [bob, one, carol], data: long('declared'), declared: true }, [ok, large, ok, queued]],
  ['declared and small', { to: [bob, one], data: short('both'), declared: true }, [ok, ok, queued]],
  [
    'its own recipients are counted, and no others',
    { to: [bob, carol, one, dave, two, three], data: short('few'), declared: true },
    [ok, ok, ok, ok, ok, surplus, queued],
  ],
])('%s', async (_what, spoken, expected) => {
  for (const edge of [0, 1]) expect(heard(await say({ ...spoken, edge }))).toEqual(expected);
});

test('a copy that is too large is not delivered, the others are', async () => {
  await vi.waitFor(() => expect(world.nextHop.having('<declared@good.test>')).not.toEqual([]), { timeout: 30_000 });
  for (const { recipients } of world.nextHop.having('<declared@good.test>')) expect(recipients).not.toContain(one);
});

test.each([
  ['larger', [bob, one, carol], long('larger')],
  ['number', [one, two, three], short('number')],
] as const)('simulation says the same: %s', async (_what, to, data) => {
  expect(await simulatedReplies(world.cluster, to, data)).toEqual(heard(await say({ to, data, declared: true })));
});

test('simulation of an envelope: who would come apart', async () => {
  expect(await simulatedReplies(world.cluster, [bob, one])).toEqual([ok, apart]);
  expect(await simulatedReplies(world.cluster, [one, bob, two])).toEqual([ok, apart, ok]);
});

test('together: both are taken, and the copy that is too large waits in quarantine', async () => {
  await world.reconfigure({ differingContent: 'together' });
  let both: Heard | undefined;
  await vi.waitFor(
    async () => {
      both = await say({ to: [bob, one], data: long('together') });
      expect(both.rcpt).toEqual([ok, ok]);
    },
    { timeout: 15_000, interval: 300 },
  );
  if (both?.end === undefined) throw new Error('no reply to the message');
  expect(line(both.end)).toBe(queued);
  await explained(world.cluster, queueIdOf(both.end), /quarantined/, 'small@1');
  expect(await simulatedReplies(world.cluster, [bob, one])).toEqual([ok, ok]);
  expect(heard(await say({ to: [one, two], data: long('all') }))).toEqual([ok, ok, large]);
});
