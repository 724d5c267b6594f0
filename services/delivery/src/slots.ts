/**
 * Slots towards one site: how many connections this pod opens to it at once. First come, first served; a waiter can give up by signal.
 * Bounded by the worker's concurrency: no more waiters than items in work.
 */

export interface Slots {
  /** Resolves with the function that frees the slot. */
  take(site: string): Promise<() => void>;
}

interface Site {
  used: number;
  readonly waiting: (() => void)[];
}

export function createSlots(perSite: number): Slots {
  const sites = new Map<string, Site>();
  const free = (name: string, site: Site): void => {
    const next = site.waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    site.used--;
    if (site.used === 0) sites.delete(name);
  };
  return {
    async take(name) {
      let site = sites.get(name);
      if (site === undefined) {
        site = { used: 0, waiting: [] };
        sites.set(name, site);
      }
      const held = site;
      if (held.used < perSite) held.used++;
      else await new Promise<void>((resolve) => held.waiting.push(resolve));
      let freed = false;
      return () => {
        if (freed) return;
        freed = true;
        free(name, held);
      };
    },
  };
}
