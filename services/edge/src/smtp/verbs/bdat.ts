/**
 * BDAT (RFC 3030 §2): a message in counted chunks. The octets of every chunk are read, also of one that is refused, so that none of them is ever
 * taken for a command; a chunk too large to be read, or one whose size cannot be told, ends the session. A refused chunk ends the transaction.
 * One message may take as long as one by DATA in all; chunks so small that they only keep a session open count as idle commands.
 */
import { type Reply, replies } from '@postern/smtp-core';
import { MessageTransfer } from '../../message-transfer.js';
import { ChunkReader, DiscardReader } from '../chunk-reader.js';
import { defaultDeadlines } from '../deadlines.js';
import type { Dialogue } from '../dialogue.js';
import type { Verb, VerbResult } from './index.js';

/** Octets of unwanted chunks that are read for the sake of the session. */
const maxDiscarded = 64 * 1024 * 1024;
const tinyChunk = 1_024;
const grammar = /^(\d{1,15})(?: +LAST)? *$/i;

/** A message of which chunks have come. */
export interface ChunkedMessage {
  readonly transfer: MessageTransfer;
  readonly reader: ChunkReader;
  readonly startedMs: number;
}

interface Chunk {
  readonly octets: number;
  readonly last: boolean;
}

function parse(argument: string): Chunk | undefined {
  const [, digits] = grammar.exec(argument) ?? [];
  return digits === undefined ? undefined : { octets: Number(digits), last: /LAST *$/i.test(argument) };
}

/** Why no chunk may come now. */
function barrier(dialogue: Dialogue): Reply | undefined {
  const { session, transaction } = dialogue;
  if (session.greeting === undefined) return replies.helloFirst;
  if (!dialogue.offers('CHUNKING')) return replies.notImplemented;
  if (transaction === undefined) return replies.needMail;
  if (transaction.recipients.length === 0) return transaction.refusal?.reply ?? replies.needRecipients;
  return undefined;
}

async function discard(dialogue: Dialogue, octets: number, reply: Reply): Promise<VerbResult> {
  dialogue.resetTransaction();
  if (octets === 0) return reply;
  if (octets > maxDiscarded) return [reply, replies.sentWithoutLeave];
  const reader = new DiscardReader(octets);
  dialogue.incoming = reader;
  const end = await dialogue.wire.readMessage(reader, () => undefined);
  dialogue.incoming = undefined;
  return end === 'whole' ? reply : undefined;
}

function messageOf(dialogue: Dialogue): ChunkedMessage | undefined {
  const { transaction, session, services, wire } = dialogue;
  if (dialogue.chunks !== undefined) return dialogue.chunks;
  if (transaction === undefined) return undefined;
  const text = dialogue.policy()?.linePolicy === 'normalise' ? 'repaired' : 'text';
  const kind = transaction.mail.body === 'BINARYMIME' ? 'binary' : text;
  const reader = new ChunkReader(kind, services.settings.maxLineLength);
  const transfer = new MessageTransfer(session, services, transaction, wire, reader);
  dialogue.chunks = { transfer, reader, startedMs: services.clock.monotonic() };
  return dialogue.chunks;
}

async function conclude({ transfer, reader }: ChunkedMessage): Promise<Reply> {
  await transfer.take(reader.finish());
  const { transaction } = transfer;
  // What holds no binary octet may also go where binary messages cannot.
  if (reader.isText && transaction.mail.body === 'BINARYMIME')
    transaction.mail = { ...transaction.mail, body: '8BITMIME' };
  return transfer.conclude();
}

async function take(dialogue: Dialogue, { octets, last }: Chunk): Promise<VerbResult> {
  const under = messageOf(dialogue);
  if (under === undefined) return replies.needMail;
  const { transfer, reader } = under;
  if (octets > 0) {
    dialogue.incoming = transfer;
    reader.expect(octets);
    const end = await transfer.receive();
    dialogue.incoming = undefined;
    if (end === 'closed') return undefined;
  }
  const early = transfer.problem;
  if (early === undefined && !last) return replies.chunkReceived(octets);
  // From here on the message is settled whatever the connection does.
  dialogue.chunks = undefined;
  const reply = await (early === undefined ? conclude(under) : transfer.refuse(early));
  dialogue.resetTransaction();
  dialogue.forgive(reply);
  return reply;
}

export const bdat: Verb = {
  records: true,
  run(dialogue, argument) {
    const chunk = parse(argument);
    if (chunk === undefined) {
      // How much follows is not known: what is here or comes next is no command.
      dialogue.resetTransaction();
      dialogue.dataRefused = true;
      const reply = dialogue.refuse(replies.syntaxError, 'BDAT');
      return dialogue.wire.hasPipelined ? [reply, replies.sentWithoutLeave] : reply;
    }
    const { session, services, chunks, transaction } = dialogue;
    const { messageMs } = services.snapshot()?.deadlines ?? defaultDeadlines;
    const late = chunks !== undefined && services.clock.monotonic() - chunks.startedMs > messageMs;
    const tiny = chunk.octets < tinyChunk && !chunk.last;
    if (tiny && ++session.idleCommands > services.settings.maxIdleCommands)
      return [dialogue.refuse(dialogue.exceeds('idle_commands_per_session'), 'idle chunks')];
    if (late) {
      dialogue.exceeds('message_time');
      return [dialogue.refuse(replies.timeout, 'BDAT')];
    }
    const refused = barrier(dialogue);
    if (refused !== undefined) return discard(dialogue, chunk.octets, dialogue.refuse(refused, 'BDAT'));
    const message = messageOf(dialogue);
    const over = transaction?.overSize((message?.transfer.size ?? 0) + chunk.octets);
    if (message !== undefined && over !== undefined)
      return discard(dialogue, chunk.octets, message.transfer.refuse({ kind: 'refused', ...over }));
    return take(dialogue, chunk);
  },
};
