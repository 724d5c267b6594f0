/**
 * Bodies in the stream BODIES: chunk messages `bodies.<id>.<n>` and a last one `bodies.<id>.end` that carries the envelope and the tail of
 * the bytes. A body without its `end` is unfinished: given up by its writer (`bodies.<id>.drop`) or swept. Plain chunk messages, not the object store: its deletes leave tombstones.
 * Invariant: memory is bounded by `window` chunks, whatever the size of the message.
 */
import { type JetStreamManager, jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import type { Clock } from '@postern/clock';
import { bodySubjects, createPublisher, type Publisher, type StreamConnection } from '@postern/stream';
import { BodyMissing, BodyRefused } from './errors.js';

/** Bytes per chunk message. */
export const chunkBytes = 128 * 1024;
/** Chunks published or fetched ahead. */
const window = 4;

/** A mark that cannot be stored by then is left to the sweep. */
const dropDeadlineMs = 10_000;

const chunksHeader = 'Postern-Chunks';
const envelopeHeader = 'Postern-Envelope-Length';
const sizeHeader = 'Postern-Size';

export interface BodyWriter {
  /** Takes bytes; resolves when there is room for more. Throws BodyRefused. */
  write(bytes: Uint8Array): Promise<void>;
  /** Publishes the last chunk with the envelope; after this the body is durable. Throws BodyRefused. */
  finish(envelope: Uint8Array): Promise<void>;
  /** Gives up: what was written is marked, and whoever may remove bodies does so (`removeDropped`). Best effort; the sweep finds what is missed. */
  abort(): void;
  readonly size: number;
}

export interface BodyFacts {
  readonly size: number;
  readonly storedAtMs: number;
  readonly envelope: Uint8Array;
}

export interface BodyStore {
  write(bodyId: string): BodyWriter;
  /** Whole body at once; idempotent by id. Throws BodyRefused. */
  put(bodyId: string, bytes: Uint8Array, envelope: Uint8Array): Promise<void>;
  /** Bytes in order. Throws BodyMissing. */
  read(bodyId: string): AsyncIterable<Buffer>;
  /** Size, time and envelope of a finished body; undefined = none. */
  stat(bodyId: string): Promise<BodyFacts | undefined>;
  /** Removes all its chunks. */
  remove(bodyId: string): Promise<void>;
  /** Removes bodies whose writer gave up, at most `limit`; a finished body is never one of them. Gives how many. */
  removeDropped(limit: number): Promise<number>;
  /** Ids present now with the number of their messages and whether the last is there. */
  list(): AsyncIterable<{ readonly bodyId: string; readonly finished: boolean }>;
}

export interface BodyStoreOptions {
  /** Milliseconds for one publish in all; default 60,000. */
  readonly deadlineMs?: number;
}

async function publishOrThrow(
  publisher: Publisher,
  bodyId: string,
  part: string,
  data: Uint8Array,
  deadlineMs: number,
  headers?: Record<string, string>,
) {
  const result = await publisher.publish(`bodies.${bodyId}.${part}`, data, {
    msgId: `${bodyId}.${part}`,
    deadlineMs,
    ...(headers === undefined ? {} : { headers }),
  });
  if (result.kind !== 'stored') throw new BodyRefused(bodyId, result.kind, result.reason);
}

function endHeaders(chunks: number, envelopeLength: number, size: number): Record<string, string> {
  return { [chunksHeader]: String(chunks), [envelopeHeader]: String(envelopeLength), [sizeHeader]: String(size) };
}

class ChunkWriter implements BodyWriter {
  size = 0;
  #buffer = Buffer.allocUnsafe(chunkBytes);
  #filled = 0;
  #chunks = 0;
  #failure: unknown;
  readonly #outstanding = new Set<Promise<void>>();

  constructor(
    private readonly publisher: Publisher,
    private readonly bodyId: string,
    private readonly deadlineMs: number,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < bytes.length) {
      const count = Math.min(bytes.length - offset, chunkBytes - this.#filled);
      this.#buffer.set(bytes.subarray(offset, offset + count), this.#filled);
      this.#filled += count;
      offset += count;
      if (this.#filled === chunkBytes) await this.#send();
    }
    this.size += bytes.length;
  }

  async finish(envelope: Uint8Array): Promise<void> {
    await Promise.all(this.#outstanding);
    if (this.#failure !== undefined) throw this.#failure;
    const tail = Buffer.concat([envelope, this.#buffer.subarray(0, this.#filled)]);
    await publishOrThrow(
      this.publisher,
      this.bodyId,
      'end',
      tail,
      this.deadlineMs,
      endHeaders(this.#chunks, envelope.length, this.size),
    );
  }

  abort(): void {
    this.#filled = 0;
    if (this.#chunks === 0) return;
    const mark = { msgId: `${this.bodyId}.drop`, deadlineMs: dropDeadlineMs };
    void Promise.allSettled([...this.#outstanding])
      .then(() => this.publisher.publish(`bodies.${this.bodyId}.drop`, new Uint8Array(), mark))
      .catch(() => undefined);
  }

  async #send(): Promise<void> {
    const chunk = this.#buffer;
    this.#buffer = Buffer.allocUnsafe(chunkBytes);
    this.#filled = 0;
    const sending: Promise<void> = publishOrThrow(
      this.publisher,
      this.bodyId,
      String(this.#chunks++),
      chunk,
      this.deadlineMs,
    )
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#outstanding.delete(sending));
    this.#outstanding.add(sending);
    if (this.#outstanding.size >= window) await Promise.race(this.#outstanding);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

interface EndMessage {
  readonly chunks: number;
  readonly envelope: Uint8Array;
  readonly tail: Buffer;
  readonly size: number;
  readonly storedAtMs: number;
}

function parseEnd(message: StoredMsg): EndMessage | undefined {
  const count = (name: string): number => Number(message.header?.get(name) ?? Number.NaN);
  const chunks = count(chunksHeader);
  const envelopeLength = count(envelopeHeader);
  const size = count(sizeHeader);
  if (!Number.isInteger(chunks) || !Number.isInteger(envelopeLength) || envelopeLength > message.data.length)
    return undefined;
  const bytes = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength);
  return {
    chunks,
    envelope: bytes.subarray(0, envelopeLength),
    tail: bytes.subarray(envelopeLength),
    size,
    storedAtMs: message.time.getTime(),
  };
}

export async function createBodyStore(
  connection: StreamConnection,
  clock: Clock,
  options: BodyStoreOptions = {},
): Promise<BodyStore> {
  const deadlineMs = options.deadlineMs ?? 60_000;
  const publisher = createPublisher(connection, clock);
  const manager: JetStreamManager = await jetstreamManager(connection.nats, { checkAPI: false });
  const get = async (subject: string): Promise<StoredMsg | undefined> =>
    (await manager.direct.getMessage('BODIES', { last_by_subj: subject })) ?? undefined;
  const end = async (bodyId: string): Promise<EndMessage | undefined> => {
    const message = await get(`bodies.${bodyId}.end`);
    return message === undefined ? undefined : parseEnd(message);
  };
  return {
    write: (bodyId) => new ChunkWriter(publisher, bodyId, deadlineMs),
    put: (bodyId, bytes, envelope) => putWhole(publisher, bodyId, bytes, envelope, deadlineMs),
    async *read(bodyId) {
      const last = await end(bodyId);
      if (last === undefined) throw new BodyMissing(bodyId);
      const ahead: Promise<StoredMsg | undefined>[] = [];
      const fetchChunk = (chunk: number): Promise<StoredMsg | undefined> => {
        const fetched = get(`bodies.${bodyId}.${chunk}`);
        fetched.catch(() => undefined);
        return fetched;
      };
      for (let next = 0; next < Math.min(window, last.chunks); next++) ahead.push(fetchChunk(next));
      for (let chunk = 0; chunk < last.chunks; chunk++) {
        const message = await ahead.shift();
        if (message === undefined) throw new BodyMissing(bodyId);
        if (chunk + window < last.chunks) ahead.push(fetchChunk(chunk + window));
        yield Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength);
      }
      if (last.tail.length > 0) yield last.tail;
    },
    async stat(bodyId) {
      const found = await end(bodyId);
      return found === undefined
        ? undefined
        : { size: found.size, storedAtMs: found.storedAtMs, envelope: found.envelope };
    },
    async remove(bodyId) {
      await manager.streams.purge('BODIES', { filter: bodySubjects(bodyId) });
    },
    async removeDropped(limit) {
      const info = await manager.streams.info('BODIES', { subjects_filter: 'bodies.*.drop' });
      const marks = Object.keys(info.state.subjects ?? {}).slice(0, limit);
      for (const mark of marks) {
        const [, bodyId = ''] = mark.split('.');
        // A mark beside a finished body is wrong or forged: only the mark goes.
        const filter = (await end(bodyId)) === undefined ? bodySubjects(bodyId) : mark;
        await manager.streams.purge('BODIES', { filter });
      }
      return marks.length;
    },
    async *list() {
      const info = await manager.streams.info('BODIES', { subjects_filter: 'bodies.>' });
      const finished = new Map<string, boolean>();
      for (const subject of Object.keys(info.state.subjects ?? {})) {
        const [, bodyId, part] = subject.split('.');
        if (bodyId !== undefined) finished.set(bodyId, part === 'end' || finished.get(bodyId) === true);
      }
      for (const [bodyId, done] of finished) yield { bodyId, finished: done };
    },
  };
}

async function putWhole(
  publisher: Publisher,
  bodyId: string,
  bytes: Uint8Array,
  envelope: Uint8Array,
  deadlineMs: number,
): Promise<void> {
  if (bytes.length <= chunkBytes) {
    const data = Buffer.concat([envelope, bytes]);
    await publishOrThrow(publisher, bodyId, 'end', data, deadlineMs, endHeaders(0, envelope.length, bytes.length));
    return;
  }
  const writer = new ChunkWriter(publisher, bodyId, deadlineMs);
  await writer.write(bytes);
  await writer.finish(envelope);
}
