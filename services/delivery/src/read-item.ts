/**
 * An item of WORK as it may be worked on: decoded, and every value that becomes a subject, a key or a line of SMTP of a form that cannot break out
 * of it. What fails here never can be delivered: it is parked at once, not tried five times.
 */
import { Item } from '@postern/proto/mail/v1/item';

export type ReadItem = { readonly ok: true; readonly item: Item } | { readonly ok: false; readonly reason: string };

const token = /^[A-Za-z0-9_-]{1,64}$/;
/** Printable, no space: part of keys and message ids. */
const key = /^[!-~]{1,256}$/;
const longestPath = 1_024;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const control = /[\x00-\x1f\x7f]/;

const isPath = (text: string): boolean => text.length <= longestPath && !control.test(text);

function fault(item: Item): string | undefined {
  if (item.recipients.length === 0 || item.route === undefined) return 'item without recipients or route';
  if (!token.test(item.queueId)) return 'queue id is no token';
  if (!key.test(item.itemId)) return 'item id is no key';
  const place = item.body?.place;
  if (place?.$case === 'bodyId' && !token.test(place.value)) return 'body id is no token';
  const replaced = item.rendering?.replacedBodyId ?? '';
  if (replaced !== '' && !token.test(replaced)) return 'replaced body id is no token';
  if (!isPath(item.reversePath) || !item.recipients.every(({ address }) => address !== '' && isPath(address)))
    return 'a path that cannot be said';
  return undefined;
}

export function readItem(data: Uint8Array): ReadItem {
  let item: Item;
  try {
    item = Item.decode(data);
  } catch (error) {
    return { ok: false, reason: `undecodable item: ${error instanceof Error ? error.message : String(error)}` };
  }
  const reason = fault(item);
  return reason === undefined ? { ok: true, item } : { ok: false, reason };
}
