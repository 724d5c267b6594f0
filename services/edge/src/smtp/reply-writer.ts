/** Replies on their way to the client: gathered until there is nothing more to answer, so that a pipelined group is one write, and bounded. */
import type { Socket } from 'node:net';
import { formatReply, type Reply, type ReplyFormat } from '@postern/smtp-core';

/** Replies gathered before they are written whatever else waits. */
const maxGathered = 16 * 1024;

export class ReplyWriter {
  readonly #sessionId: string;
  /** The socket now; undefined = nothing may be written. */
  readonly #socket: () => Socket | undefined;
  #gathered = '';
  #isUtf8 = false;

  constructor(sessionId: string, socket: () => Socket | undefined) {
    this.#sessionId = sessionId;
    this.#socket = socket;
  }

  add(reply: Reply, format: ReplyFormat): void {
    if (format.utf8 === true) this.#isUtf8 = true;
    this.#gathered += formatReply(reply, this.#sessionId, format);
    if (this.#gathered.length > maxGathered) this.flush();
  }

  flush(): void {
    if (this.#gathered === '') return;
    const text = this.#gathered;
    this.#gathered = '';
    const socket = this.#socket();
    if (socket === undefined || socket.destroyed || !socket.writable) return;
    socket.write(text, this.#isUtf8 ? 'utf8' : 'latin1');
    this.#isUtf8 = false;
  }
}
