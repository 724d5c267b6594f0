/** Whole transactions, right or wrong, that other sessions are made of; each notes what it sent in the book. */
import { stuff } from '@postern/testkit/smtp';
import type { FuzzClient } from './fuzz-client.js';
import { illegalMessage, legalMessage } from './grammar.js';
import type { FuzzReply } from './reply-reader.js';
import type { SentBook } from './sent-book.js';
import { strayOctet } from './sent-book.js';
import { contentOf, separators, smuggledData } from './smuggling.js';

export interface SessionContext {
  readonly client: FuzzClient;
  readonly book: SentBook;
  /** Unique in the run. */
  readonly token: string;
  readonly login: { readonly user: string; readonly password: string };
}

const recipientsOf = ({ client: { chance } }: SessionContext): string[] =>
  Array.from({ length: chance.pick([1, 1, 1, 2, 5]) }, (_, index) => `${chance.word(6)}${index}@fuzz.test`);

/** MAIL, RCPT, DATA; the recipients when the server said 354. */
async function begin(context: SessionContext): Promise<readonly string[] | undefined> {
  const { client } = context;
  const { chance } = client;
  const recipients = recipientsOf(context);
  const commands = [
    `MAIL FROM:<${chance.word(5)}@sender.test>`,
    ...recipients.map((one) => `RCPT TO:<${one}>`),
    'DATA',
  ].map((line) => `${line}\r\n`);
  let last: FuzzReply | undefined;
  if (chance.yes(0.6)) {
    await client.say(commands.join(''), chance.pick([0, 0, 3, 20]));
    for (let left = commands.length; left > 0; left--) last = await client.reply();
  } else {
    for (const line of commands) {
      await client.say(line, chance.pick([0, 0, 5]));
      last = await client.reply();
    }
  }
  return last?.code === 354 ? recipients : undefined;
}

async function expectAlive(client: FuzzClient): Promise<void> {
  const reply = await client.command('NOOP');
  if (reply !== undefined && reply.code !== 250 && reply.code !== 421)
    client.problem(`NOOP was answered ${reply.code}`);
  client.expectNothingMore();
}

/** A legal message must be taken, or put off. */
export async function legalTransaction(context: SessionContext, number: number): Promise<void> {
  const { client, book } = context;
  const recipients = await begin(context);
  if (recipients === undefined) return;
  const token = `${context.token}-${number}`;
  const data = legalMessage(client.chance, token);
  book.send(token, recipients, data);
  await client.say(Buffer.concat([stuff(data), Buffer.from('.\r\n')]), client.chance.pick([0, 0, 4, 40]));
  const reply = await client.reply();
  book.settle(token, reply?.code);
  if (reply !== undefined && reply.code >= 500)
    client.problem(`a legal message was answered ${reply.code} ${reply.lines.join('|')}`);
}

/** Bare CR, LF or NUL: refused for good, and the session goes on in step. */
export async function illegalTransaction(context: SessionContext, number: number): Promise<void> {
  const { client, book } = context;
  const recipients = await begin(context);
  if (recipients === undefined) return;
  const token = `${context.token}-${number}`;
  // With the line end before the final dot: now and then two intruders meet and make a whole one, and the message is legal.
  const data = Buffer.concat([illegalMessage(client.chance, token), Buffer.from('\r\n')]);
  book.send(token, recipients, data);
  await client.say(Buffer.concat([stuff(data), Buffer.from('.\r\n')]), client.chance.pick([0, 2, 30]));
  const reply = await client.reply();
  book.settle(token, reply?.code);
  if (reply?.code === 250 && strayOctet(data) !== -1) client.problem('a message with half line ends was accepted');
  await expectAlive(client);
}

export async function smugglingTransaction(context: SessionContext, number: number): Promise<void> {
  const { client, book } = context;
  const { chance } = client;
  const recipients = await begin(context);
  if (recipients === undefined) return;
  const token = `${context.token}-${number}`;
  const chosen = chance.pick(separators);
  const wire = smuggledData(chance, token, chosen);
  book.send(token, recipients, contentOf(wire));
  await client.say(wire, chance.pick([0, 1, 5, 60, 400]));
  const reply = await client.reply();
  book.settle(token, reply?.code);
  if (!chosen.legal && reply !== undefined && reply.code < 400) client.problem(`${chosen.name} was accepted`);
  if (chosen.legal && reply !== undefined && reply.code >= 500) client.problem(`${chosen.name} was refused`);
  await expectAlive(client);
}

/** Octets that nobody could call a message, until the end of data. */
export async function looseTransaction(context: SessionContext, body: Buffer): Promise<void> {
  const recipients = await begin(context);
  if (recipients === undefined) return;
  await context.client.say(body, 10);
}
