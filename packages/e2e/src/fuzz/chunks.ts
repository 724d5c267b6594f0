/**
 * Messages in counted chunks (RFC 3030 §2), cut anywhere, also between CR and LF or in the middle of a dot line; each notes what it sent in the book.
 * Chunks are not stuffed: `.` alone on a line is content here.
 */
import { illegalMessage, legalMessage } from './grammar.js';
import { strayOctet } from './sent-book.js';
import type { SessionContext } from './transactions.js';

/** Each chunk with its command, the last marked. */
function chunksOf({ client: { chance } }: SessionContext, data: Buffer): Buffer[] {
  const cuts = [...chance.cuts(data.length, chance.pick([0, 1, 3, 12])), data.length];
  let from = 0;
  return cuts.map((to, index) => {
    const last = index === cuts.length - 1 ? ' LAST' : '';
    const chunk = Buffer.concat([Buffer.from(`BDAT ${to - from}${last}\r\n`), data.subarray(from, to)]);
    from = to;
    return chunk;
  });
}

export async function chunkedTransaction(context: SessionContext, number: number): Promise<void> {
  const { client, book } = context;
  const { chance } = client;
  const recipient = `${chance.word(6)}@fuzz.test`;
  for (const line of [`MAIL FROM:<${chance.word(5)}@sender.test>`, `RCPT TO:<${recipient}>`]) {
    if ((await client.command(line))?.code !== 250) return;
  }
  const token = `${context.token}-${number}`;
  const data = chance.yes(0.7) ? legalMessage(chance, token) : illegalMessage(chance, token);
  const legal = strayOctet(data) === -1;
  book.send(token, [recipient], data);
  const chunks = chunksOf(context, data);
  const codes: (number | undefined)[] = [];
  if (chance.yes(0.5)) {
    await client.say(Buffer.concat(chunks), chance.pick([0, 5, 60]));
    for (let left = chunks.length; left > 0; left--) codes.push((await client.reply())?.code);
  } else {
    for (const chunk of chunks) {
      await client.say(chunk, chance.pick([0, 3]));
      codes.push((await client.reply())?.code);
    }
  }
  // The fate of the message is the answer to the last chunk; without one it is unknown.
  book.settle(token, codes.at(-1));
  if (codes.at(-1) === 250 && codes.some((code) => code !== 250))
    client.problem(`chunks were answered ${codes.join(' ')}`);
  if (!legal && codes.at(-1) === 250) client.problem('a message in chunks with half line ends was accepted');
  const refused = codes.find((code) => code !== undefined && code >= 500);
  if (legal && refused !== undefined) client.problem(`a legal message in chunks was answered ${codes.join(' ')}`);
  const alive = await client.command('NOOP');
  if (alive !== undefined && alive.code !== 250 && alive.code !== 421)
    client.problem(`NOOP was answered ${alive.code}`);
  client.expectNothingMore();
}
