/** Blocklists that list nobody but their test point (RFC 5782 §5): without it a list counts as broken and is not asked. */
import type { ZoneData } from '@postern/dns/testing';

export const emptyLists = (lists: readonly string[]): ZoneData =>
  Object.fromEntries(
    lists.flatMap((list) => [
      [list, { TXT: ['a blocklist'] }],
      [`2.0.0.127.${list}`, { A: ['127.0.0.2'] }],
    ]),
  );
