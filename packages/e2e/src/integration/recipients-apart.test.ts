/**
 * Recipients whose content is judged by different rules, in a running cluster: with `split` the later one comes again by itself and hears the refusal of
 * its own tenant; with `together` both are taken, and the copy that is refused goes into quarantine. Simulation says what the wire says.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { type SmtpReply, stuff } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { explained, queueIdOf, sessionIdOf } from './explanation.js';
import { password, users, withMailWorld } from './mail-world.js';
import { simulatedReplies } from './simulated-replies.js';

const bob = 'bob@acme.test';
const carol = 'carol@acme.test';
const strict = 'anyone@strict.test';
const tenants = [
  {
    name: 'acme',
    domains: [{ name: 'acme.test', nextHop: 'hop' }],
    users: users.map((user) => ({ address: `${user}@acme.test`, password })),
  },
  { name: 'strict', domains: [{ name: 'strict.test', nextHop: 'hop', validateRecipients: false }] },
];
const rules = [
  {
    ...{
      id: 'no-programs',
      tenant: 'strict',
      event: 'body',
      when: 'message.attachments.exists(a, a.endsWith(".exe"))',
    },
    then: [{ reject: { code: 552, enhanced: '5.3.4', text: 'strict.test takes no programs' } }],
  },
  {
    ...{ id: 'short-only', tenant: 'acme', scope: carol, event: 'body', when: 'message.size > 5000' },
    then: [{ reject: { text: 'carol reads short mail only' } }],
  },
];
const world = withMailWorld({
  edges: 2,
  policies: 2,
  config: { limits: { connectionsPerIp: 0, connectionRatePerIp: 0 }, tenants, rules },
});

const program = (id: string): Buffer =>
  Buffer.from(
    [
      `From: a@good.test\r\nTo: ${bob}\r\nMessage-ID: <${id}@good.test>\r\nSubject: see attachment\r\nMIME-Version: 1.0`,
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello',
      '--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="run.exe"\r\n\r\nMZ\r\n--b--\r\n',
    ].join('\r\n'),
  );
const long = (id: string): Buffer =>
  Buffer.from(
    `From: a@good.test\r\nMessage-ID: <${id}@good.test>\r\nSubject: long\r\n\r\n${'words\r\n'.repeat(1_000)}`,
  );

const line = ({ code, text }: SmtpReply): string => `${code} ${text.replace(/ \([0-9A-Z]{26}\)$/, '')}`;

interface Spoken {
  readonly to: readonly string[];
  readonly data: Buffer;
  readonly edge?: number;
  /** RCPT commands in one piece. */
  readonly pipelined?: boolean;
  readonly login?: string;
}

interface Heard {
  readonly rcpt: readonly SmtpReply[];
  readonly end: SmtpReply | undefined;
}

/** As a relay does: what is not taken is left out, the rest is sent. */
async function say({ to, data, edge = 0, pipelined = false, login }: Spoken): Promise<Heard> {
  const sender = await world.speak(login === undefined ? 'mx' : 'submission', {
    edge,
    ...(login === undefined ? {} : { login }),
  });
  try {
    const from = login === undefined ? 'a@good.test' : `${login}@acme.test`;
    expect((await sender.command(`MAIL FROM:<${from}>`)).code).toBe(250);
    const rcpt: SmtpReply[] = [];
    if (pipelined) sender.write(to.map((address) => `RCPT TO:<${address}>\r\n`).join(''));
    for (const address of to) rcpt.push(await (pipelined ? sender.reply() : sender.command(`RCPT TO:<${address}>`)));
    if (rcpt.every(({ code }) => code >= 400)) return { rcpt, end: undefined };
    expect((await sender.command('DATA')).code).toBe(354);
    sender.write(stuff(data));
    return { rcpt, end: await sender.command('.') };
  } finally {
    sender.destroy();
  }
}

const apart = '452 4.5.3 send this recipient in a separate transaction';

async function counted(): Promise<number> {
  const { services } = await world.cluster.run();
  const texts = await Promise.all(
    services
      .filter(({ name }) => name === 'policy')
      .map(async ({ metrics }) => (await fetch(new URL('/metrics', metrics))).text()),
  );
  return texts
    .flatMap((text) => [...text.matchAll(/^postern_policy_recipients_apart_total\{because="rule"\} (\d+)/gm)])
    .reduce((sum, [, count]) => sum + Number(count), 0);
}

test.each([
  ['one by one', false],
  ['in one piece', true],
])(
  'two tenants, %s: the later one is told to come by itself, and then hears its own refusal',
  async (_how, pipelined) => {
    const before = await counted();
    const id = `split-${String(pipelined)}`;
    const first = await say({ to: [bob, strict], data: program(id), pipelined });
    expect(first.rcpt.map(line)).toEqual(['250 2.1.5 recipient OK', apart]);
    expect(line(first.end ?? { code: 0, text: '', lines: [] })).toMatch(/^250 2\.6\.0 queued as /);
    const again = await say({ to: [strict], data: program(id), edge: 1, pipelined });
    expect([...again.rcpt, again.end].map((reply) => (reply === undefined ? '' : line(reply)))).toEqual([
      '250 2.1.5 recipient OK',
      '552 5.3.4 strict.test takes no programs',
    ]);
    await vi.waitFor(() => expect(world.nextHop.having(`<${id}@good.test>`)).toHaveLength(1), { timeout: 30_000 });
    expect(world.nextHop.having(`<${id}@good.test>`)[0]?.recipients).toEqual([bob]);
    expect(await counted()).toBe(before + 1);
    const [, refused] = first.rcpt;
    if (refused === undefined) throw new Error('no second reply');
    const text = await explained(
      world.cluster,
      sessionIdOf(refused),
      'differing_content',
      'rule no-programs@1 could refuse',
    );
    expect(text).toContain(strict);
  },
);

test('another transaction of the session begins anew, and so does one after RSET', async () => {
  const sender = await world.speak('mx');
  const rcpt = async (address: string): Promise<string> => line(await sender.command(`RCPT TO:<${address}>`));
  const taken = '250 2.1.5 recipient OK';
  try {
    await sender.command('MAIL FROM:<a@good.test>');
    expect([await rcpt(bob), await rcpt(strict), await rcpt(strict)]).toEqual([taken, apart, apart]);
    await sender.command('RSET');
    await sender.command('MAIL FROM:<a@good.test>');
    expect([await rcpt(strict), await rcpt(bob)]).toEqual([taken, apart]);
    await sender.command('DATA');
    sender.write(stuff(program('anew')));
    expect((await sender.command('.')).code).toBe(552);
    await sender.command('MAIL FROM:<a@good.test>');
    expect([await rcpt('nobody@acme.test'), await rcpt(bob)]).toEqual([expect.stringMatching(/^550 /), taken]);
  } finally {
    sender.destroy();
  }
});

test('simulation says the same', async () => {
  const data = program('simulated');
  const heard = await say({ to: [bob, strict], data });
  const said = [...heard.rcpt, heard.end].map((reply) =>
    reply === undefined ? '' : line(reply).replace(/queued as .*/, 'queued as'),
  );
  expect(await simulatedReplies(world.cluster, [bob, strict], data)).toEqual(said);
});

test('a rule of a user splits its domain, in either order; who has none stays with whom it is with', async () => {
  const short = program('short');
  expect((await say({ to: [bob, carol], data: short })).rcpt.map(line)).toEqual(['250 2.1.5 recipient OK', apart]);
  const turned = await say({ to: [carol, bob, 'dave@acme.test'], data: long('turned') });
  expect(turned.rcpt.map(line)).toEqual(['250 2.1.5 recipient OK', apart, apart]);
  expect(line(turned.end ?? { code: 0, text: '', lines: [] })).toMatch(/^550 .*carol reads short mail only$/);
  const rest = await say({ to: [bob, 'dave@acme.test'], data: long('rest') });
  expect([...rest.rcpt, rest.end].map((reply) => reply?.code)).toEqual([250, 250, 250]);
});

test('a user that logs in is not told so: its copy for one that refuses is kept apart', async () => {
  const { rcpt, end } = await say({ to: [bob, carol], data: long('login'), login: 'dave' });
  expect([...rcpt, end].map((reply) => reply?.code)).toEqual([250, 250, 250]);
  await vi.waitFor(() => expect(world.nextHop.having('<login@good.test>')).toHaveLength(1), { timeout: 30_000 });
  expect(world.nextHop.having('<login@good.test>')[0]?.recipients).toEqual([bob]);
});

test('together: both are taken, and the copy that is refused waits in quarantine', async () => {
  await world.reconfigure({ differingContent: 'together' });
  let both: Heard | undefined;
  await vi.waitFor(
    async () => {
      both = await say({ to: [bob, strict], data: program('together') });
      expect(both.rcpt.map(({ code }) => code)).toEqual([250, 250]);
    },
    { timeout: 15_000, interval: 300 },
  );
  const end = both?.end ?? { code: 0, text: '', lines: [] };
  expect(end.code).toBe(250);
  await explained(world.cluster, queueIdOf(end), /quarantined/, 'no-programs@1');
  expect(await simulatedReplies(world.cluster, [bob, strict], program('simulated'))).toEqual([
    '250 2.1.5 recipient OK',
    '250 2.1.5 recipient OK',
    '250 2.6.0 queued as',
  ]);
});

test('of one tenant alone: among its own recipients only', async () => {
  const [acme = tenants[0], other] = tenants;
  await world.reconfigure({ tenants: [{ ...acme, differingContent: 'together' }, other] });
  await vi.waitFor(
    async () => {
      const heard = await say({ to: [bob, carol, strict], data: program('own') });
      expect(heard.rcpt.map(line)).toEqual(['250 2.1.5 recipient OK', '250 2.1.5 recipient OK', apart]);
    },
    { timeout: 15_000, interval: 300 },
  );
});
