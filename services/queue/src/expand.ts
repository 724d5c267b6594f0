/**
 * The recipients of one accepted envelope as ledger units (design.md, invariant 2): one per recipient of the queue id. An alias or group closes
 * as `replaced` and its targets open as `expanded`, kept where it would have been kept, since what is released is not looked up again; a recipient met twice closes as `merged` under a key of its own. Pure and deterministic,
 * so that a redelivered envelope makes the same units. The edge did the look-up; nothing is asked here.
 */
import { Disposition, type Envelope, type ForwardPath } from '@postern/proto/mail/v1/envelope';
import { type ItemRecipient, UnitKind } from '@postern/proto/mail/v1/item';
import { domainOf } from './route.js';

export interface Unit {
  /** Key of the unit within the queue id. */
  readonly address: string;
  readonly tenant: string;
  readonly kind: UnitKind.ACCEPTED | UnitKind.EXPANDED;
  readonly rendering: number;
  readonly fate: UnitFate;
  readonly recipient: ItemRecipient;
  /** The recipient that was accepted, where it was expanded to this one. */
  readonly via?: string;
}

export type UnitFate = 'deliver' | 'quarantine' | 'hold' | 'discard' | 'replaced' | 'merged';

const fates: Partial<Record<Disposition, UnitFate>> = {
  [Disposition.QUARANTINE]: 'quarantine',
  [Disposition.HOLD]: 'hold',
  [Disposition.DISCARD]: 'discard',
};

/** Case of the local part is kept for delivery but not for identity (RFC 5321 §2.4 leaves it to the host; loops must not grow by case). */
const identity = (address: string): string => address.toLowerCase();

function originalRecipient(path: ForwardPath): string {
  return path.originalRecipient === '' ? `rfc822;${path.address}` : path.originalRecipient;
}

export function expand(envelope: Envelope, ownerOf: (domain: string) => string | undefined): Unit[] {
  const units: Unit[] = [];
  const seen = new Set<string>();
  const mergedOnce = new Map<string, number>();
  const add = (unit: Unit, via: string): void => {
    const key = identity(unit.address);
    if (!seen.has(key)) {
      seen.add(key);
      units.push(unit);
      return;
    }
    const base = via === '' ? `${unit.address} (again)` : `${unit.address} (via ${via})`;
    const count = (mergedOnce.get(identity(base)) ?? 0) + 1;
    mergedOnce.set(identity(base), count);
    units.push({ ...unit, address: count === 1 ? base : `${base} ${count}`, fate: 'merged' });
  };
  const replaced: ForwardPath[] = [];
  for (const path of envelope.forwardPaths) {
    const stays = path.expandsTo.length === 0 || path.expandsTo.some((to) => identity(to) === identity(path.address));
    const opens = path.expandsTo.length > 0 && fateOf(path) !== 'discard';
    if (opens) replaced.push(path);
    add(
      {
        address: path.address,
        tenant: path.tenant,
        kind: UnitKind.ACCEPTED,
        rendering: path.rendering,
        fate: stays || !opens ? fateOf(path) : 'replaced',
        recipient: { address: path.address, notify: path.notify, originalRecipient: path.originalRecipient },
      },
      '',
    );
  }
  for (const path of replaced) {
    for (const target of path.expandsTo) {
      if (identity(target) === identity(path.address)) continue;
      add(
        {
          address: target,
          tenant: ownerOf(domainOf(target)) ?? path.tenant,
          kind: UnitKind.EXPANDED,
          rendering: path.rendering,
          fate: fateOf(path),
          via: path.address,
          recipient: { address: target, notify: path.notify, originalRecipient: originalRecipient(path) },
        },
        path.address,
      );
    }
  }
  return units;
}

function fateOf(path: ForwardPath): UnitFate {
  return fates[path.disposition] ?? 'deliver';
}
