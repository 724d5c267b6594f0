/**
 * Who is served next when more waits than fits: weighted round-robin over tenants, then evenly over each tenant's lanes (design.md, step 6).
 * Pure: from demands and room to quotas. One tenant's flood gets the share of one tenant; what others do not use, it may use.
 */

export interface Demand {
  readonly tenant: string;
  readonly lane: string;
  /** Items that may start: waiting, capped by the room of the lane's window. */
  readonly wanted: number;
}

export interface Quota {
  readonly tenant: string;
  readonly lane: string;
  readonly count: number;
}

interface Share {
  readonly tenant: string;
  readonly lane: string;
  wanted: number;
  count: number;
}

/** `first` rotates the order of tenants and lanes from call to call, so that what is left over is not always given to the same. */
export function shareOut(
  demands: readonly Demand[],
  weightOf: (tenant: string) => number,
  budget: number,
  first: number,
): Quota[] {
  const tenants = new Map<string, Share[]>();
  for (const { tenant, lane, wanted } of demands) {
    if (wanted <= 0) continue;
    const shares = tenants.get(tenant);
    const share = { tenant, lane, wanted, count: 0 };
    if (shares === undefined) tenants.set(tenant, [share]);
    else shares.push(share);
  }
  let left = budget;
  let hungry = rotate(
    [...tenants.values()].map((shares) => rotate(shares, first)),
    first,
  );
  while (left > 0 && hungry.length > 0) {
    const weights = hungry.map(([share]) => Math.max(1, weightOf(share?.tenant ?? '')));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const pot = left;
    for (const [index, shares] of hungry.entries()) {
      const due = Math.max(1, Math.floor((pot * (weights[index] ?? 1)) / total));
      left -= serve(shares, Math.min(due, left));
      if (left === 0) break;
    }
    hungry = hungry.filter((shares) => shares.some(({ wanted }) => wanted > 0));
  }
  return [...tenants.values()]
    .flat()
    .flatMap(({ tenant, lane, count }) => (count > 0 ? [{ tenant, lane, count }] : []));
}

/** Gives up to `amount` to the lanes of one tenant, evenly; returns what was taken. */
function serve(shares: readonly Share[], amount: number): number {
  let left = amount;
  let open = shares.filter(({ wanted }) => wanted > 0);
  while (left > 0 && open.length > 0) {
    const each = Math.max(1, Math.floor(left / open.length));
    for (const share of open) {
      const given = Math.min(each, share.wanted, left);
      share.wanted -= given;
      share.count += given;
      left -= given;
      if (left === 0) break;
    }
    open = open.filter(({ wanted }) => wanted > 0);
  }
  return amount - left;
}

function rotate<T>(list: readonly T[], by: number): T[] {
  if (list.length === 0) return [];
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
