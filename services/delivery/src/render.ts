/**
 * The bytes of an item as they leave: header edits applied while streaming, the body never rewritten (design.md, path step 4). An inline body
 * is edited in memory; one in BODIES streams through with only its header section held. Signatures (`signing.ts`) cover the edited message.
 */
import type { BodyStore } from '@postern/body-store';
import type { Clock } from '@postern/clock';
import { DkimSigner, type SigningKey } from '@postern/mail-auth';
import {
  applyHeaderEdits,
  editHeaders,
  findBodyOffset,
  formatHeaderField,
  type HeaderEdit,
  type HeaderField,
  readHeaderSection,
} from '@postern/mail-message';
import { HeaderEditKind, type HeaderEdit as WireEdit } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import type { Signing } from './signing.js';
import type { RenderedMessage } from './transport.js';

export type Prepared =
  /** `open` gives the bytes from the beginning, once per host tried. */
  | { readonly kind: 'ready'; readonly open: () => RenderedMessage }
  /** Not now: a key that must sign cannot be opened. */
  | { readonly kind: 'later'; readonly reason: string };

export interface Renderer {
  prepare(item: Item): Promise<Prepared>;
}

function toEdit(edit: WireEdit): HeaderEdit | undefined {
  const { name, value, index } = edit;
  switch (edit.kind) {
    case HeaderEditKind.PREPEND:
      return { op: 'prepend', name, value };
    case HeaderEditKind.APPEND:
      return { op: 'append', name, value };
    case HeaderEditKind.ADD_IF_ABSENT:
      return { op: 'addIfAbsent', name, value };
    case HeaderEditKind.CHANGE:
      return { op: 'change', name, value, index };
    case HeaderEditKind.SURROUND:
      return { op: 'surround', name, before: value, behind: edit.behind };
    case HeaderEditKind.REMOVE:
      return { op: 'remove', name, index };
    default:
      return undefined;
  }
}

const editsOf = (item: Item): HeaderEdit[] =>
  (item.rendering?.edits ?? []).map(toEdit).filter((edit) => edit !== undefined);

export interface RendererOptions {
  readonly bodies: BodyStore;
  readonly signing: Signing;
  readonly clock: Clock;
}

/**
 * Octets the edits add at most: what is added counts whole, what may be there already or goes away as well. RFC 1870 §6.1 lets a client
 * estimate; reading the header section of a large body for the exact number would be a read more for every attempt.
 */
const growthOf = (edits: readonly HeaderEdit[]): number => edits.reduce((sum, edit) => sum + grownBy(edit), 0);

/** Of words around a value as much as encoding them, and the word they touch, may take. */
function grownBy(edit: HeaderEdit): number {
  if (edit.op === 'remove') return 0;
  if (edit.op === 'surround') return 4 * Buffer.byteLength(edit.before + edit.behind) + 2_048;
  return formatHeaderField(edit.name, edit.value).length;
}

/** Splits off the header section of a message in memory. */
function split(bytes: Buffer): readonly [head: Buffer, body: Buffer] {
  const offset = findBodyOffset(bytes, 0);
  const end = offset === -1 ? bytes.length : offset;
  return [bytes.subarray(0, end), bytes.subarray(end)];
}

export function createRenderer({ bodies, signing, clock }: RendererOptions): Renderer {
  const sign = (fields: readonly HeaderField[], keys: readonly SigningKey[], body: Iterable<Buffer>): Buffer => {
    const signer = new DkimSigner(fields, { keys, clock });
    for (const chunk of body) signer.update(chunk);
    return Buffer.from(signer.finish().join(''), 'latin1');
  };

  async function inMemory(item: Item, bytes: Buffer): Promise<Prepared> {
    const [headBefore, body] = split(bytes);
    const head = applyHeaderEdits(headBefore, editsOf(item));
    const chunks = [head, body];
    if (signing.concerns(item)) {
      const { fields } = readHeaderSection(head);
      const found = await signing.keysFor(item, fields);
      if (found.kind === 'unavailable') return { kind: 'later', reason: found.reason };
      if (found.kind === 'keys') chunks.unshift(sign(fields, found.keys, [body]));
    }
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return { kind: 'ready', open: () => ({ size, chunks }) };
  }

  /** A body in BODIES is read once for its signature and once to be sent; never held whole. */
  async function streamed(item: Item, bodyId: string): Promise<Prepared> {
    const edits = editsOf(item);
    const rendered = (): AsyncIterable<Buffer> => editHeaders(bodies.read(bodyId), edits);
    const unsigned = async (): Promise<Prepared> => {
      const replaced = bodyId === item.rendering?.replacedBodyId ? await bodies.stat(bodyId) : undefined;
      const size = (replaced?.size ?? item.size) + growthOf(edits);
      return { kind: 'ready', open: () => ({ size, chunks: rendered() }) };
    };
    if (!signing.concerns(item)) return unsigned();
    let signer: DkimSigner | undefined;
    let size = 0;
    for await (const chunk of rendered()) {
      size += chunk.length;
      if (signer !== undefined) {
        signer.update(chunk);
        continue;
      }
      // The first piece of an edited message is its whole header section.
      const [head, body] = split(chunk);
      const { fields } = readHeaderSection(head);
      const found = await signing.keysFor(item, fields);
      if (found.kind === 'unavailable') return { kind: 'later', reason: found.reason };
      if (found.kind === 'none') return unsigned();
      signer = new DkimSigner(fields, { keys: found.keys, clock });
      signer.update(body);
    }
    if (signer === undefined) return unsigned();
    const signatures = Buffer.from(signer.finish().join(''), 'latin1');
    size += signatures.length;
    return { kind: 'ready', open: () => ({ size, chunks: prefixed(signatures, rendered()) }) };
  }

  return {
    prepare(item) {
      const replaced = item.rendering?.replacedBodyId ?? '';
      const place = item.body?.place;
      if (replaced === '' && place?.$case === 'inline') {
        return inMemory(item, Buffer.from(place.value.buffer, place.value.byteOffset, place.value.byteLength));
      }
      const spooled = place?.$case === 'bodyId' ? place.value : item.queueId;
      return streamed(item, replaced === '' ? spooled : replaced);
    },
  };
}

async function* prefixed(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}
