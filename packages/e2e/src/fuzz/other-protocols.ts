/** What is no SMTP at all on a port for it, or begins before it may: PROXY, TLS, HTTP, noise. */
import type { SessionContext } from './transactions.js';

export async function proxyPreface({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  const preface = chance.pick([
    Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 25\r\n'),
    Buffer.from('PROXY TCP6 ::1 ::1 1 25\r\n'),
    Buffer.from('PROXY UNKNOWN\r\n'),
    Buffer.from(`PROXY TCP4 ${'1'.repeat(300)}\r\n`),
    Buffer.concat([signature, Buffer.from('2111000c0a0000010a00000200010019', 'hex')]),
    Buffer.concat([signature, Buffer.from('2100ffff', 'hex'), chance.bytes(200)]),
    signature,
  ]);
  if (chance.yes(0.5)) await client.reply();
  await client.say(preface, chance.pick([0, 4]));
  await client.say('EHLO client.test\r\nNOOP\r\n');
  await client.hangUp();
}

/** A ClientHello by its first bytes, then noise of the length it announces. */
export async function tlsHello({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (chance.yes(0.5)) await client.reply();
  const length = chance.between(40, 500);
  await client.say(
    Buffer.concat([Buffer.from([0x16, 0x03, 0x01, length >> 8, length & 255, 0x01, 0x00]), chance.bytes(length)]),
    3,
  );
  await client.hangUp();
}

export async function http({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (chance.yes(0.5)) await client.reply();
  const verb = chance.pick(['GET / ', 'POST /x ', 'CONNECT mail:25 ', 'PRI * ', 'OPTIONS * ']);
  await client.say(
    `${verb}HTTP/${chance.pick(['1.1', '1.0', '2.0'])}\r\nHost: mail\r\nContent-Length: 99\r\n\r\nMAIL FROM:<smuggled@evil.test>\r\n`,
  );
  await client.hangUp();
}

export async function rawBytes({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (chance.yes(0.5)) await client.reply();
  await client.say(chance.bytes(chance.pick([1, 10, 100, 2_000, 20_000])), 5);
  await client.hangUp();
}

/** Replies here are TLS alerts: their form is not SMTP's. */
export async function rawBytesForTls({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  client.notSmtp();
  await client.say(
    chance.pick([
      chance.bytes(300),
      Buffer.from('EHLO x\r\n'),
      Buffer.from([0x16, 3, 1, 0xff, 0xff]),
      Buffer.from([0x15, 3, 1, 0, 2, 1, 0]),
    ]),
    3,
  );
  await client.hangUp();
}

/** Speaks before the banner; RFC 5321 §4.3.1. */
export async function earlyTalker({ client }: SessionContext): Promise<void> {
  await client.say(client.chance.pick(['EHLO early.test\r\n', 'QUIT\r\n', 'DATA\r\n.\r\n', '\r\n', '\0']));
  await client.hangUp();
}
