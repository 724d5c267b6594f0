/** Deadlines of a connection over real sockets: the client's, ours, and those the operator set. */
import { FakeClock } from '@postern/clock';
import { describe, expect, it } from 'vitest';
import { acceptAll, Doubles } from '../testing/doubles.js';
import { greeted, transaction, withFront } from '../testing/front.js';

const { start } = withFront();

describe('deadlines', () => {
  it.each([
    ['a command', [], 301_000, 'deadlines.command: no whole line within 300 s'],
    [
      'message bytes',
      [...transaction, 'DATA'],
      62_000,
      'deadlines.minimumRate: fewer than 64 bytes a second of a message',
    ],
    [
      'the answer to a challenge',
      ['EHLO c.test', 'AUTH PLAIN'],
      301_000,
      'deadlines.command: no whole line within 300 s',
    ],
  ])('end a session that waits with %s, and name which', async (_name, lines, afterMs, reason) => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', authMechanismsPlain: ['PLAIN'] }] });
    const { port } = await start(doubles);
    const client = await greeted(port, lines);
    await clock.advance(afterMs - 2_000);
    expect(doubles.events.some(({ event }) => event === 'edge.session.aborted')).toBe(false);
    await clock.advance(2_000);
    expect(await client.reply()).toMatch(/^421 4\.4\.2/);
    expect(await client.closed()).toBe(true);
    const aborted = doubles.events.find(({ event }) => event === 'edge.session.aborted');
    expect(aborted?.facts?.detail).toEqual({ reason });
  });
});

describe('deadlines of ours', () => {
  it.each([
    ['policy', ['EHLO c.test', 'MAIL FROM:<a@sender.test>'], 'RCPT TO:<bob@example.test>', /^250/],
    ['the credential service', ['EHLO c.test'], 'AUTH PLAIN AHgAeA==', /^535/],
  ] as const)('end no session that waits for %s', async (_name, lines, command, reply) => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', authMechanismsPlain: ['PLAIN'] }] });
    const { promise, resolve } = Promise.withResolvers<void>();
    doubles.evaluate = (request) => promise.then(() => acceptAll(request));
    doubles.verify = () => promise.then(() => ({ kind: 'denied', reason: 'test' }));
    const { port } = await start(doubles);
    const client = await greeted(port, lines);
    client.send(`${command}\r\n`);
    await expect.poll(() => doubles.asked.length + doubles.logins.length).toBe(1);
    await clock.advance(400_000);
    resolve();
    expect(await client.reply()).toMatch(reply);
    client.destroy();
  });
});

describe('deadlines the operator set', () => {
  it.each<[string, object, RegExp]>([
    ['a command that does not come', { commandMs: 1_500 }, /^421 4\.4\.2/],
    ['a session that goes on and on', { sessionMs: 1_500 }, /^421 4\.4\.2/],
  ])('end %s', async (_name, deadlines, expected) => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.setSnapshot({ deadlines });
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    await clock.advance(1_000);
    expect(await client.command('NOOP')).toMatch(/^250/);
    await clock.advance(3_000);
    expect(await client.reply()).toMatch(expected);
    client.destroy();
  });
});
