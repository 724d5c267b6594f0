/** Settings of a listener over real sockets, and its drain. */
import { connect, createServer } from 'node:net';
import { FakeClock } from '@postern/clock';
import { RawClient } from '@postern/testkit/smtp';
import { describe, expect, it, vi } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { greeted, transaction, withFront } from '../testing/front.js';

const { start } = withFront();

describe('settings of the listener', () => {
  const mx = (settings: object) => ({ listeners: [{ name: 'mx', role: 'mx', ...settings }] });

  it('close its port and open it again, without a restart; a transaction goes on', async () => {
    const doubles = new Doubles();
    const listener = await start(doubles);
    const { port } = listener;
    const busy = await greeted(port);
    doubles.setSnapshot(mx({ disabled: true }));
    await listener.update();
    await expect(RawClient.open(port)).rejects.toThrow();
    expect(await busy.command('DATA')).toMatch(/^354/);
    busy.send('x\r\n.\r\n');
    expect(await busy.reply()).toMatch(/^250/);
    busy.destroy();
    doubles.setSnapshot(mx({}));
    await listener.update();
    expect(listener.port).toBe(port);
    const again = await RawClient.open(port);
    expect(await again.reply()).toMatch(/^220/);
    again.destroy();
  });

  it('open a port that was taken as soon as it is free', async () => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    const listener = await start(doubles);
    doubles.setSnapshot(mx({ disabled: true }));
    await listener.update();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(listener.port, '127.0.0.1', resolve));
    doubles.setSnapshot(mx({}));
    await expect(listener.update()).rejects.toThrow(/EADDRINUSE/);
    await clock.advance(11_000);
    await expect.poll(() => doubles.refusedSettings.length).toBe(1);
    expect(listener.disagreements).toEqual([expect.stringMatching(/cannot listen on .*: another program has it/)]);
    await new Promise((resolve) => other.close(resolve));
    await clock.advance(11_000);
    await expect.poll(() => RawClient.open(listener.port).then((client) => client.destroy())).toBeUndefined();
    expect(listener.disagreements).toEqual([]);
  });

  it('give it a name and a banner of its own, also in the trace header', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(mx({ hostname: 'in.partner.test', banner: 'ready' }));
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    expect(await client.reply()).toBe('220 in.partner.test ready');
    expect(await client.command('EHLO c.test')).toMatch(/^250-in\.partner\.test/);
    for (const line of [...transaction.slice(1), 'DATA']) await client.command(line);
    client.send('x\r\n.\r\n');
    await client.reply();
    expect(doubles.stored[0]?.envelope.renderings[0]?.edits[0]?.value).toContain('by in.partner.test');
    client.destroy();
  });
});

describe('drain', () => {
  it('sends idle clients away, lets a transaction finish, then resolves', async () => {
    const doubles = new Doubles();
    const listener = await start(doubles);
    const idle = await greeted(listener.port, ['EHLO c.test']);
    const busy = await greeted(listener.port);
    doubles.draining = true;
    const drained = listener.drain();
    expect(await idle.reply()).toMatch(/^421 4\.3\.2/);
    expect(await busy.command('DATA')).toMatch(/^354/);
    busy.send('x\r\n.\r\n');
    expect(await busy.reply()).toMatch(/^250/);
    expect(await busy.command('NOOP')).toMatch(/^421 4\.3\.2/);
    await drained;
    expect(doubles.stored).toHaveLength(1);
  });

  it.each(['before', 'in'])(
    'waits for no client that heard its end %s the drain and keeps its side open',
    async (when) => {
      const doubles = new Doubles();
      const clock = new FakeClock();
      doubles.clock = clock;
      const listener = await start(doubles);
      const client = connect({ port: listener.port, host: '127.0.0.1', allowHalfOpen: true });
      const ended = new Promise<void>((resolve) => client.once('end', resolve));
      let heard = '';
      client.on('data', (data: Buffer) => (heard += data.toString()));
      await vi.waitFor(() => expect(heard).toMatch(/^220 /));
      if (when === 'before') {
        client.write('QUIT\r\n');
        await ended;
        expect(listener.sessions).toBe(1);
      }
      doubles.draining = true;
      const drained = listener.drain();
      await ended;
      expect(heard).toMatch(when === 'before' ? /^221 /m : /^421 4\.3\.2/m);
      await vi.waitFor(async () => {
        await clock.advance(500);
        expect(listener.sessions).toBe(0);
      });
      await drained;
      client.destroy();
    },
  );

  it('a listener that is switched off lets a transaction finish, and no other begin', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx' }] });
    const listener = await start(doubles);
    const busy = await greeted(listener.port);
    await busy.command('DATA');
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', disabled: true }] });
    await listener.update();
    busy.send('x\r\n.\r\nMAIL FROM:<a@sender.test>\r\n');
    expect(await busy.reply()).toMatch(/^250/);
    expect(await busy.reply()).toMatch(/^421 4\.3\.2/);
    expect(doubles.stored).toHaveLength(1);
  });

  it.each([
    ['a TLS handshake', { name: 'submissions', role: 'submissions' }, {}],
    ['a PROXY header', { name: 'mx', role: 'mx' }, { proxyProtocol: true }],
  ] as const)('cut off in %s is told as what it is', async (_name, facts, options) => {
    const doubles = new Doubles();
    doubles.setSnapshot({ listeners: [facts], trustedProxies: ['127.0.0.0/8'] });
    const listener = await start(doubles, { ...facts, ...options });
    const client = await RawClient.open(listener.port);
    client.send(facts.role === 'mx' ? 'PROXY TCP4' : '\u0016');
    // Accepted after the other, and refused at once.
    const second = await RawClient.open(listener.port);
    second.send('neither one nor the other\r\n');
    await vi.waitFor(() => expect(doubles.events).toHaveLength(1));
    await listener.drain();
    await vi.waitFor(() => expect(doubles.events).toHaveLength(2));
    expect(doubles.events[1]).toMatchObject({
      event: 'edge.session.refused',
      facts: { detail: { reason: 'draining' } },
    });
    client.destroy();
    second.destroy();
  });
});

it('a session that ends in the midst of AUTH has sent no wrong command', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({
    listeners: [{ name: 'submission', role: 'submission', requireTls: false, authMechanismsPlain: ['LOGIN'] }],
  });
  const { port } = await start(doubles, { name: 'submission', role: 'submission' });
  const client = await greeted(port, ['EHLO c.test']);
  expect(await client.command('AUTH LOGIN')).toMatch(/^334/);
  client.destroy();
  await vi.waitFor(() => expect(doubles.events.map(({ event }) => event)).toContain('edge.session.closed'));
  expect(doubles.events.map(({ event }) => event)).not.toContain('edge.command.rejected');
});
