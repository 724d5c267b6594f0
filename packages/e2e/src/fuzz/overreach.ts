/** Sessions that ask for what nobody may have: a login without a password, more recipients than any message has, recipients elsewhere. */
import type { Chance } from './random.js';
import type { SessionContext } from './transactions.js';

function authAttempt(chance: Chance, login: SessionContext['login']): string {
  const encode = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  return chance.pick([
    'AUTH',
    'AUTH PLAIN',
    'AUTH LOGIN',
    'AUTH PLAIN =',
    'AUTH PLAIN !!!!',
    'AUTH PLAIN YQ',
    `AUTH PLAIN ${encode('a'.repeat(9_000))}`,
    `AUTH PLAIN ${encode('\0\0\0\0\0\0')}`,
    `AUTH PLAIN ${encode(`\0${login.user}\0wrong`)}`,
    `AUTH PLAIN ${encode(`\0\r\nX: y\0z`)}`,
    `AUTH PLAIN ${encode('\xff\xfe\0\xff\0\xff')}`,
    `AUTH LOGIN ${encode(login.user)}`,
    'AUTH LOGIN =',
    'AUTH CRAM-MD5',
    'AUTH DIGEST-MD5',
    'AUTH SCRAM-SHA-256 biwsbj0scj0=',
    'AUTH EXTERNAL =',
    'AUTH __proto__ =',
    'AUTH PLAIN = = =',
    'auth plain *',
  ]);
}

export async function authGarbage({ client, login }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  if (chance.yes(0.5) && (await client.command('STARTTLS'))?.code === 220) {
    if (!(await client.startTls())) return;
    await client.command('EHLO again.test');
  }
  for (let left = chance.between(1, 6); left > 0 && !client.closed; left--) {
    let reply = await client.command(authAttempt(chance, login));
    for (let more = 0; reply?.code === 334 && more < 4; more++) {
      reply = await client.command(
        chance.pick(['*', '', '=', '!!!!', 'YWxpY2U=', '\0', 'A'.repeat(13_000), chance.word(40)]),
      );
    }
    if (reply?.code === 235) client.problem('garbage was taken for a login');
  }
  const relay = await client.command('MAIL FROM:<a@sender.test>');
  if (relay?.code === 250) client.problem('MAIL without login on a submission port');
  await client.hangUp();
}

export async function hugeRcptList(context: SessionContext): Promise<void> {
  const { client } = context;
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const count = chance.pick([101, 150, 300, 1_050]);
  const domain = chance.pick(['fuzz.test', 'fuzz.test', 'strict.test', 'elsewhere.test']);
  const lines = Array.from({ length: count }, (_, index) => `RCPT TO:<r${index}@${domain}>\r\n`);
  await client.say(`MAIL FROM:<a@sender.test>\r\n${lines.join('')}`, 12);
  let accepted = 0;
  for (let left = count + 1; left > 0 && !client.closed; left--) {
    const reply = await client.reply();
    if (reply !== undefined && reply.code === 250) accepted++;
  }
  if (accepted > 1_001) client.problem(`${accepted - 1} recipients were taken in one transaction`);
  if (domain !== 'fuzz.test' && accepted > 1) client.problem(`${accepted - 1} recipients at ${domain} were taken`);
  await client.hangUp();
}
