/** Commands hidden behind one that ends the group they came in: whoever reads on takes them for said by the client (anchors.md §6). */
import type { SessionContext } from './transactions.js';

/** RFC 2920 §3.1: DATA ends a group. What follows a refused DATA must never be read as commands. */
export async function behindData({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const begin = chance.pick([
    '',
    'MAIL FROM:<a@sender.test>\r\n',
    'MAIL FROM:<a@sender.test>\r\nRCPT TO:<nobody@strict.test>\r\n',
  ]);
  await client.say(
    `${begin}DATA\r\nX-Fuzz: none\r\n\r\nRSET\r\nMAIL FROM:<smuggled@data.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nowned\r\n.\r\n`,
    chance.yes(0.5) ? 0 : 1,
  );
  await client.hangUp();
}

/** CVE-2011-0411 and after: plain text behind STARTTLS must not be answered, neither before nor after the handshake. */
export async function behindStartTls(context: SessionContext): Promise<void> {
  const { client } = context;
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const injected = chance.pick([
    'NOOP\r\n',
    'EHLO evil.test\r\n',
    'MAIL FROM:<smuggled@starttls.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nowned\r\n.\r\n',
    'QUIT\r\n',
    'STARTTLS\r\n',
  ]);
  await client.say(`STARTTLS\r\n${injected}`, chance.pick([0, 0, 1, 8]));
  if ((await client.reply())?.code !== 220) return client.hangUp();
  if (!(await client.startTls())) return;
  const reply = await client.command('RCPT TO:<b@fuzz.test>');
  if (reply !== undefined && reply.code < 400) client.problem(`RCPT right after STARTTLS was answered ${reply.code}`);
  await client.hangUp();
}
