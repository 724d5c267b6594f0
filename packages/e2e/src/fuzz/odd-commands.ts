/** Sessions of commands that are out of order, badly formed, too long, full of control characters, mutated or never waited for. */
import { anyCommand, hello, mail, mutate, rcpt } from './grammar.js';
import type { SessionContext } from './transactions.js';

export async function outOfOrder({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  await client.reply();
  for (let left = chance.between(2, 20); left > 0 && !client.closed; left--) {
    const line = chance.pick([
      anyCommand,
      () => 'DATA',
      () => 'RSET',
      () => 'EHLO again.test',
      () => 'MAIL FROM:<a@sender.test>',
      () => 'RCPT TO:<b@fuzz.test>',
      () => '.',
    ])(chance);
    const reply = await client.command(line);
    if (reply?.code === 354) {
      await client.say('no header here\r\n.\r\n');
      await client.reply();
    }
  }
  await client.hangUp();
}

export async function brokenParameters({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  for (let left = chance.between(1, 8); left > 0; left--) {
    await client.command(mail(chance));
    for (let more = chance.between(0, 3); more > 0; more--) await client.command(rcpt(chance));
    if (chance.yes(0.3)) await client.command('RSET');
  }
  await client.hangUp();
}

export async function longLines({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const length = chance.pick([510, 512, 513, 998, 1_000, 2_047, 2_048, 2_049, 12_287, 12_289, 20_000, 70_000]);
  const start = chance.pick(['NOOP ', 'MAIL FROM:<', 'RCPT TO:<', 'EHLO ', 'AUTH PLAIN ', 'X', '']);
  const line = start + chance.pick(['x', '<', '@', '.', 'é', '"', ' ']).repeat(length);
  await client.say(chance.yes(0.8) ? `${line}\r\n` : line, chance.pick([0, 3]));
  if (chance.yes(0.5)) await client.say('\r\nNOOP\r\n');
  await client.hangUp();
}

export async function controlBytes({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  for (let left = chance.between(1, 6); left > 0; left--) {
    const line = Buffer.from(anyCommand(chance));
    const at = chance.between(0, line.length);
    const intruder = chance.pick(['\0', '\r', '\n', '\x1b[31m', '\x08', '\x7f', '\x80\xff', '\u2028', '\r\r', '\n\r']);
    const end = chance.pick(['\r\n', '\r\n', '\n', '\r', '\r\r\n', '\0\r\n']);
    await client.say(
      Buffer.concat([line.subarray(0, at), Buffer.from(intruder, 'latin1'), line.subarray(at), Buffer.from(end)]),
      3,
    );
  }
  await client.hangUp();
}

/** A legal dialogue with a few octets changed, in random segments. */
export async function mutant({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  await client.reply();
  const dialogue = Buffer.from(
    `EHLO m.test\r\nMAIL FROM:<mutant@sender.test> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<m@fuzz.test> NOTIFY=NEVER\r\nDATA\r\n` +
      'Subject: mutant\r\nReceived: by x\r\n\r\nbody\r\n..\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<m2@fuzz.test>\r\nVRFY x\r\nQUIT\r\n',
  );
  await client.say(mutate(chance, dialogue, chance.between(1, 12)), 12);
  await client.hangUp();
}

/** Pipelines everything without reading a reply. */
export async function pipelined({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  await client.reply();
  const lines = Array.from({ length: chance.between(5, 150) }, () => anyCommand(chance));
  await client.say(`${hello(chance)}\r\n${lines.join('\r\n')}\r\n`, 6);
  await client.hangUp();
}
