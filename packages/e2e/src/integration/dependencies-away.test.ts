/**
 * Each dependency away, silent (SIGSTOP) and dead (kill -9): the answer is the declared one (docs/architecture/degradation.md), never a 5xx, and
 * a stranger never relays. An edge that is itself not there answers nothing. Afterwards all recovers by itself and every mail that was answered 250 has arrived.
 */
import { buildMessage, ConnectionLost, type SmtpReply } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { type SpeakOptions, withMailWorld } from './mail-world.js';
import { freeze } from './process-trees.js';

const world = withMailWorld();
const acceptedIds: string[] = [];
let number = 0;

/** What a client gets at most: the reply that refuses, the final one, or nothing. */
async function attempt(from: string, to: string, options: SpeakOptions = {}): Promise<string> {
  const id = `away-${++number}`;
  try {
    const sender = await world.speak(options.login === undefined ? 'mx' : 'submissions', options);
    try {
      const reply: SmtpReply = await sender.send({ from, to: [to], data: buildMessage({ from, to, id }) });
      if (reply.code === 250) acceptedIds.push(id);
      return `${reply.code} ${reply.text}`;
    } finally {
      sender.destroy();
    }
  } catch (error) {
    if (error instanceof ConnectionLost) return 'lost';
    const told = error instanceof Error ? /\d{3} .*/.exec(error.message)?.[0] : undefined;
    if (told === undefined) throw error;
    return told;
  }
}

const incoming = (to = 'bob@acme.test') => attempt('x@good.test', to);
const relaying = () => attempt('x@good.test', 'victim@elsewhere.test');
const submitting = (login = 'bob') => attempt(`${login}@acme.test`, 'friend@elsewhere.test', { login });

const taken = /^250 /;
const later = /^4\d\d /;
const unjudged = /^451 4\.3\.0 /;

interface Away {
  readonly name: string;
  /** Mail from outside for a user who had mail before. */
  readonly incoming: RegExp;
  /** Mail of a user who logged in before. */
  readonly submitting: RegExp;
  /** A login not seen before. */
  readonly firstLogin?: RegExp;
}

// redis: local limits go on. postgres: nothing on the way to a first attempt asks it. provisioning: only logins not verified lately wait.
const silent: readonly Away[] = [
  { name: 'policy', incoming: unjudged, submitting: unjudged },
  { name: 'redis', incoming: taken, submitting: taken },
  { name: 'postgres', incoming: taken, submitting: taken, firstLogin: /^454 4\.7\.0 / },
  { name: 'provisioning', incoming: taken, submitting: taken, firstLogin: /^454 4\.7\.0 / },
  { name: 'nats', incoming: later, submitting: later },
  { name: 'queue', incoming: taken, submitting: taken },
  { name: 'delivery', incoming: taken, submitting: taken },
];

/** As before the fault: mail is taken, and arrives. */
async function whole(): Promise<void> {
  const patience = { timeout: 90_000, interval: 500 };
  await vi.waitFor(async () => expect(await incoming()).toMatch(taken), patience);
  await vi.waitFor(async () => expect(await submitting()).toMatch(taken), patience);
  expect(await relaying()).toMatch(/^550 5\.7\.1 /);
  const last = acceptedIds.at(-1) ?? '';
  await vi.waitFor(() => expect(world.nextHop.having(`<${last}@`)).not.toEqual([]), patience);
}

async function strangersAreKept(): Promise<void> {
  expect(await relaying()).toMatch(/^(550 5\.7\.1|4\d\d|lost)/);
}

test.each(silent)('$name silent: the declared answer, then as before', { timeout: 400_000 }, async (away) => {
  await whole();
  const thaw = await freeze(world.cluster, away.name);
  try {
    const [fromOutside, fromUser, firstLogin] = await Promise.all([
      incoming(),
      submitting('bob'),
      // Nobody but this test logs in as carol, so nothing remembers that she did.
      away.firstLogin === undefined ? undefined : submitting('carol'),
      strangersAreKept(),
    ]);
    expect(fromOutside).toMatch(away.incoming);
    expect(fromUser).toMatch(away.submitting);
    if (away.firstLogin !== undefined) expect(firstLogin).toMatch(away.firstLogin);
  } finally {
    thaw();
  }
  await whole();
});

test.each(silent.map(({ name }) => name))(
  '%s killed: nothing worse than later, then as before',
  { timeout: 400_000 },
  async (name) => {
    await whole();
    const pid = await world.cluster.signal(name, 'SIGKILL');
    const [, ...answers] = await Promise.all([strangersAreKept(), incoming(), submitting(), incoming()]);
    for (const answer of answers) expect(answer).toMatch(/^(250 |4\d\d |lost)/);
    await world.cluster.waitReplaced(name, pid);
    await whole();
  },
);

test('an edge killed is replaced and mail goes on', { timeout: 400_000 }, async () => {
  const pid = await world.cluster.signal('edge', 'SIGKILL');
  await world.cluster.waitReplaced('edge', pid);
  await whole();
});

test.each<'timeout' | 'servfail'>(['timeout', 'servfail'])(
  'DNS answers %s: mail goes on where checks only mark',
  async (kind) => {
    world.dns.script('*', { kind });
    try {
      await strangersAreKept();
      // The settings of the case before may hold for two seconds more.
      await vi.waitFor(async () => expect(await attempt(`x@${kind}.test`, 'bob@acme.test')).toMatch(taken), {
        timeout: 60_000,
      });
      await world.reconfigure({ checks: { spf: { onFail: 'reject' } } });
      await vi.waitFor(
        async () => expect(await attempt(`x@${kind}-strict.test`, 'bob@acme.test')).toMatch(/^451 4\.7\.24 /),
        {
          timeout: 60_000,
        },
      );
    } finally {
      world.dns.script('*', undefined);
      await world.reconfigure({});
    }
    await whole();
  },
);

test('at the end everything accepted has arrived and the ledger balances', { timeout: 400_000 }, async () => {
  await waitAtRest(world.cluster, 120_000);
  const missing = acceptedIds.filter((id) => world.nextHop.having(`<${id}@`).length === 0);
  expect(missing).toEqual([]);
});
