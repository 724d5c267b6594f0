/**
 * The bytes of an item as they leave: header edits applied while streaming, the body never rewritten (design.md, path step 4). An inline body
 * is edited in memory; one in BODIES streams through with only its header section held. Each call starts from the beginning.
 */
import type { BodyStore } from '@postern/body-store';
import { applyHeaderEdits, editHeaders, findBodyOffset, type HeaderEdit } from '@postern/mail-message';
import { HeaderEditKind, type HeaderEdit as WireEdit } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import type { RenderedMessage } from './transport.js';

export interface Renderer {
  render(item: Item): Promise<RenderedMessage>;
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
    case HeaderEditKind.REMOVE:
      return { op: 'remove', name, index };
    default:
      return undefined;
  }
}

const editsOf = (item: Item): HeaderEdit[] =>
  (item.rendering?.edits ?? []).map(toEdit).filter((edit) => edit !== undefined);

export function createRenderer(bodies: BodyStore): Renderer {
  return {
    async render(item) {
      const edits = editsOf(item);
      const replaced = item.rendering?.replacedBodyId ?? '';
      const place = item.body?.place;
      if (replaced === '' && place?.$case === 'inline') {
        const bytes = Buffer.from(place.value.buffer, place.value.byteOffset, place.value.byteLength);
        const offset = findBodyOffset(bytes, 0);
        const end = offset === -1 ? bytes.length : offset;
        const head = applyHeaderEdits(bytes.subarray(0, end), edits);
        return { size: head.length + bytes.length - end, chunks: [head, bytes.subarray(end)] };
      }
      const bodyId = replaced === '' ? (place?.$case === 'bodyId' ? place.value : item.queueId) : replaced;
      return { size: item.size, chunks: editHeaders(bodies.read(bodyId), edits) };
    },
  };
}
