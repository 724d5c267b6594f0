/**
 * Item ids `<queue id>:<group>:<attempt>`: Msg-Id of WORK, fence of the row, key of the done mark (design.md, step 7).
 * The group number is a hash of what the item holds, not a counter: a replay with other routes or another selection of rows makes another
 * id, so the dedup window can never swallow recipients; a replay of the same thing makes the same id, be it placed from SPOOL or dispatched from rows.
 */
import type { Route } from '@postern/proto/mail/v1/item';

/** FNV-1a, 32 bits. */
export function groupNumber(parts: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) {
      hash ^= part.charCodeAt(i);
      hash = Math.imul(hash, 0x01000193);
    }
    hash ^= 0x0a;
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** Of recipients of one message that leave together this way. */
export function groupOf(tenant: string, route: Route, addresses: readonly string[]): number {
  const way = `${tenant}\n${route.egressPool}\n${route.lane}\n${route.domain}`;
  return groupNumber([way, ...(addresses.length === 1 ? addresses : [...addresses].sort())]);
}

export const itemId = (queueId: string, group: number, attempt: number): string => `${queueId}:${group}:${attempt}`;
