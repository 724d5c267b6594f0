/**
 * Messages as files: <domain>/<user>/<ulid>.eml holds the bytes as received, <ulid>.json the envelope. Stored means
 * written, synced and visible under the final name; several recipients share one body by hard links. Memory per message is
 * one chunk. Names come from addresses of strangers, so everything unusual in them is encoded.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isUlid } from '@postern/clock';

export interface StoredMessage {
  readonly id: string;
  readonly recipient: string;
  readonly reversePath: string;
  readonly receivedAt: string;
  readonly bytes: number;
  readonly clientAddress: string;
  readonly helo: string;
}

export interface IncomingMessage {
  /** Asked when the body has ended; true drops it. */
  readonly refused: () => boolean;
  readonly reversePath: string;
  readonly forwardPaths: readonly string[];
  readonly clientAddress: string;
  readonly helo: string;
}

const longestName = 120;

/** A file name for part of an address: lower case, nothing but harmless characters, bounded. */
export function folderName(part: string): string {
  const encoded = encodeURIComponent(part.toLowerCase()).replaceAll('*', '%2A').replace(/^\./, '%2E');
  if (encoded.length > 0 && encoded.length <= longestName) return encoded;
  return `sha256-${createHash('sha256').update(part).digest('hex')}`;
}

function folderOf(root: string, recipient: string): string {
  const at = recipient.lastIndexOf('@');
  const [user, domain] = at < 0 ? [recipient, 'no-domain'] : [recipient.slice(0, at), recipient.slice(at + 1)];
  return join(root, folderName(domain), folderName(user));
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAll(file: FileHandle, body: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Buffer)) throw new Error('a message is bytes');
    await file.writeFile(chunk);
    bytes += chunk.length;
  }
  return bytes;
}

export class MessageStore {
  readonly #root: string;
  readonly #incoming: string;
  readonly #newId: () => string;
  readonly #now: () => number;
  readonly #known = new Set<string>();

  constructor(root: string, newId: () => string, now: () => number) {
    this.#root = root;
    this.#incoming = join(root, '.incoming');
    this.#newId = newId;
    this.#now = now;
  }

  /** Empty what an earlier process left unfinished. */
  async open(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
  }

  /** Store for every recipient and return the ids, none if it was refused; resolves when all is on disk, rejects with nothing visible for those not stored. */
  async store(message: IncomingMessage, body: Readable): Promise<readonly string[]> {
    const spool = join(this.#incoming, this.#newId());
    try {
      const file = await open(spool, 'wx', 0o600);
      let bytes = 0;
      try {
        bytes = await writeAll(file, body);
        await file.sync();
      } finally {
        await file.close();
      }
      const ids: string[] = [];
      if (message.refused()) return ids;
      for (const recipient of message.forwardPaths) ids.push(await this.#place(spool, message, recipient, bytes));
      return ids;
    } finally {
      await rm(spool, { force: true });
    }
  }

  async #place(spool: string, message: IncomingMessage, recipient: string, bytes: number): Promise<string> {
    const folder = folderOf(this.#root, recipient);
    if (!this.#known.has(folder)) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (this.#known.size < 100_000) this.#known.add(folder);
    }
    const id = this.#newId();
    const stored: StoredMessage = {
      id,
      recipient,
      reversePath: message.reversePath,
      receivedAt: new Date(this.#now()).toISOString(),
      bytes,
      clientAddress: message.clientAddress,
      helo: message.helo,
    };
    await link(spool, join(folder, `${id}.eml`));
    // The envelope last: a message counts as stored when its envelope has its name.
    const envelope = join(this.#incoming, `${id}.json`);
    const file = await open(envelope, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(stored)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(envelope, join(folder, `${id}.json`));
    await syncFolder(folder);
    return id;
  }

  /** Newest first, at most `limit`; of one recipient or of all. */
  async list(recipient: string | undefined, limit: number): Promise<StoredMessage[]> {
    const found = await this.#envelopes(recipient === undefined ? this.#root : folderOf(this.#root, recipient));
    found.sort((left, right) => (left.id < right.id ? 1 : -1));
    const messages: StoredMessage[] = [];
    for (const { path } of found.slice(0, limit)) {
      const text = await readFile(path, 'utf8').catch(() => undefined);
      if (text !== undefined) messages.push(JSON.parse(text));
    }
    return messages;
  }

  async count(recipient: string | undefined): Promise<number> {
    return (await this.#envelopes(recipient === undefined ? this.#root : folderOf(this.#root, recipient))).length;
  }

  /** Envelope and body of one message. */
  async find(id: string): Promise<{ readonly message: StoredMessage; readonly body: () => Readable } | undefined> {
    if (!isUlid(id)) return undefined;
    const found = (await this.#envelopes(this.#root)).find((entry) => entry.id === id);
    if (found === undefined) return undefined;
    const message: StoredMessage = JSON.parse(await readFile(found.path, 'utf8'));
    return { message, body: () => createReadStream(found.path.replace(/\.json$/, '.eml')) };
  }

  async #envelopes(folder: string): Promise<{ id: string; path: string }[]> {
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    return names
      .filter((name) => name.endsWith('.json') && !name.startsWith('.incoming'))
      .map((name) => ({ id: name.slice(-31, -5), path: join(folder, name) }));
  }
}
