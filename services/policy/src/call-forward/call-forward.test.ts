/** What a next hop says about itself is not said about a recipient; its route is kept to as delivery keeps to it. */
import { createServer, type Server } from 'node:net';
import { systemClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import type { NextHop } from '@postern/proto/mail/v1/item';
import { HopProtocol, TlsMode } from '@postern/proto/mail/v1/item';
import { afterEach, expect, test } from 'vitest';
import { createCallForward } from './call-forward.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

type Answers = Readonly<Record<string, string>>;

interface Hop {
  readonly port: number;
  readonly commands: string[];
}

/** Answers by the beginning of the command; `banner` first. */
async function hop(answers: Answers): Promise<Hop> {
  const commands: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(`${answers.banner ?? '220 hop.test'}\r\n`);
    socket.on('data', (octets) => {
      for (const line of octets.toString().split('\r\n').filter(Boolean)) {
        commands.push(line);
        const [, answer = '250 ok'] = Object.entries(answers).find(([verb]) => line.startsWith(verb)) ?? [];
        socket.write(`${answer}\r\n`);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return { port: typeof bound === 'object' && bound !== null ? bound.port : 0, commands };
}

const nextHop = (port: number, other: Partial<NextHop> = {}): NextHop => ({
  ...{ host: '127.0.0.1', port, protocol: HopProtocol.SMTP, tlsMode: TlsMode.OPPORTUNISTIC },
  ...{ username: '', passwordSecret: '', tlsServerName: '', implicitTls: false },
  ...other,
});

const create = () =>
  createCallForward({
    ...{ clock: systemClock, resolver: createZone({}), redis: undefined, localName: 'mx.postern.test' },
  });

const ask = (hosts: readonly NextHop[], forward = create()) =>
  forward.ask({
    address: 'ann@here.test',
    hop: { name: 'hop', tenant: '', hosts: [...hosts], egressPool: '' },
    ...{ deadlineMs: 2_000, keepKnownMs: 60_000, keepUnknownMs: 60_000 },
  });

test.each<[Answers, 'known' | 'unknown' | 'unavailable']>([
  [{}, 'known'],
  [{ RCPT: '251 will forward' }, 'known'],
  [{ RCPT: '550 5.1.1 no such user' }, 'unknown'],
  [{ RCPT: '550 no such user' }, 'unknown'],
  [{ RCPT: '550 5.1.0 address rejected' }, 'unknown'],
  [{ RCPT: '551 5.1.6 has moved' }, 'unknown'],
  [{ RCPT: '553 5.1.3 no such mailbox' }, 'unknown'],
  [{ RCPT: '550 5.4.1 Recipient address rejected: Access denied' }, 'unknown'],
  [{ RCPT: '550 5.7.1 relaying denied' }, 'unavailable'],
  [{ RCPT: '550 5.2.2 mailbox is full' }, 'unavailable'],
  [{ RCPT: '552 5.2.2 mailbox is full' }, 'unavailable'],
  [{ RCPT: '552 mailbox is full' }, 'unavailable'],
  [{ RCPT: '550 5.1.2 no such host' }, 'unavailable'],
  [{ RCPT: '550 5.1.8 sender has no domain' }, 'unavailable'],
  [{ RCPT: '554 5.7.1 relay access denied' }, 'unavailable'],
  [{ RCPT: '530 5.7.0 authentication required' }, 'unavailable'],
  [{ RCPT: '503 5.5.1 bad sequence' }, 'unavailable'],
  [{ RCPT: '450 4.2.1 later' }, 'unavailable'],
  [{ MAIL: '550 5.7.1 no null senders' }, 'unavailable'],
  [{ MAIL: '550 5.1.1 no such user' }, 'unavailable'],
  [{ MAIL: '530 5.7.0 Must issue a STARTTLS command first' }, 'unavailable'],
  [{ EHLO: '550 5.1.1 who are you' }, 'unavailable'],
  [{ banner: '554 5.7.1 go away' }, 'unavailable'],
])('%j is %s', async (answers, known) => {
  const { port } = await hop(answers);
  expect(await ask([nextHop(port)])).toBe(known);
});

test('what a next hop says about itself is not kept, and the next host is asked', async () => {
  const closed = await hop({ MAIL: '550 5.7.1 no null senders' });
  const forward = create();
  expect(await ask([nextHop(closed.port)], forward)).toBe('unavailable');
  const open = await hop({ RCPT: '550 5.1.1 no such user' });
  expect(await ask([nextHop(closed.port), nextHop(open.port)], forward)).toBe('unknown');
  expect(closed.commands.filter((line) => line.startsWith('MAIL'))).toHaveLength(2);
});

test.each<[string, Partial<NextHop>]>([
  ['a login, whose password policy cannot read', { username: 'postern', passwordSecret: 'route.acme.hop.0' }],
  ['TLS that is not offered', { tlsMode: TlsMode.REQUIRED }],
  ['TLS from the first octet', { implicitTls: true }],
])('a next hop with %s is not asked in the open', async (_what, other) => {
  const { port, commands } = await hop({});
  expect(await ask([nextHop(port, other)])).toBe('unavailable');
  expect(commands.filter((line) => /^(?:MAIL|RCPT)/.test(line))).toEqual([]);
});
