/**
 * Networks of a snapshot that cannot be read are never left out: a deny that is dropped admits whom it names. The whole list they stand in
 * stays as the snapshot before had it; with none before, the snapshot is refused. Provisioning stores no such network: this is the second lock.
 */
import { PosternError } from '@postern/errors';
import { parseNetworks } from '@postern/flow-control';
import type { Snapshot } from '@postern/proto/config/v1/snapshot';

export interface ReadableSnapshot {
  readonly snapshot: Snapshot;
  /** Lists that stay as they were, each with the first network that cannot be read. */
  readonly refused: readonly string[];
}

type ListName = 'accessRules' | 'ipSets' | 'relayNetworks' | 'trustedProxies' | 'listeners';

const networksOf: Readonly<Record<ListName, (snapshot: Snapshot) => Iterable<string>>> = {
  accessRules: (snapshot) => snapshot.accessRules.map(({ network }) => network),
  ipSets: (snapshot) => snapshot.ipSets.flatMap(({ networks }) => networks),
  relayNetworks: (snapshot) => snapshot.relayNetworks.map(({ network }) => network),
  trustedProxies: (snapshot) => snapshot.trustedProxies,
  listeners: (snapshot) => snapshot.listeners.flatMap(({ xclientNetworks }) => xclientNetworks),
};

const listNames = ['accessRules', 'ipSets', 'relayNetworks', 'trustedProxies', 'listeners'] as const;

export function readableSnapshot(next: Snapshot, before: Snapshot | undefined): ReadableSnapshot {
  let snapshot = next;
  const refused: string[] = [];
  for (const name of listNames) {
    for (const text of networksOf[name](next)) {
      if (parseNetworks(text) !== undefined) continue;
      const reason = `${name}: ${JSON.stringify(text.slice(0, 100))} is no network`;
      if (before === undefined) throw new PosternError('config-invalid', reason);
      refused.push(reason);
      snapshot = { ...snapshot, [name]: before[name] };
      break;
    }
  }
  return { snapshot, refused };
}
