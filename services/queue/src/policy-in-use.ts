/** The part of the snapshot this service works by, compiled once per version and swapped as a whole. */
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import { createRouter, type Router } from './route.js';
import { type Schedule, scheduleOf } from './schedule.js';

export interface PolicyInUse {
  readonly version: number;
  readonly hostname: string;
  readonly router: Router;
  readonly schedule: Schedule;
  /** Share of a tenant in dispatch. */
  weightOf(tenant: string): number;
  /** Mail of a suspended tenant waits. */
  isSuspended(tenant: string): boolean;
}

export function compilePolicy(snapshot: Snapshot): PolicyInUse {
  const tenants = new Map(snapshot.tenants.map((tenant) => [tenant.name, tenant]));
  return {
    version: snapshot.version,
    hostname: snapshot.hostname || 'localhost.localdomain',
    router: createRouter(snapshot),
    schedule: scheduleOf(snapshot.retry),
    weightOf: (tenant) => tenants.get(tenant)?.weight || 1,
    isSuspended: (tenant) => tenants.get(tenant)?.state === 'suspended',
  };
}
