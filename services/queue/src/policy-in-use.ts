/** The part of the snapshot this service works by, compiled once per version and swapped as a whole. */
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import { createRuleCompiler, deliveryRules, type RuleBook, type RuleCompiler, rightsOf } from '@postern/rules';
import { createRouter, type Router } from './route.js';
import { type Schedule, scheduleOf } from './schedule.js';

export interface PolicyInUse {
  readonly version: number;
  readonly hostname: string;
  readonly router: Router;
  readonly schedule: Schedule;
  /** Those declared; empty = not said. */
  readonly egressPools: readonly string[];
  /** Those that speak after acceptance. */
  readonly rules: RuleBook;
  /** There are some: items then carry where the message came from. */
  readonly rulesDelivery: boolean;
  /** Share of a tenant in dispatch. */
  weightOf(tenant: string): number;
  /** Mail of a suspended tenant waits. */
  isSuspended(tenant: string): boolean;
}

const deliveryEvents = ['relay', 'temporary-failure', 'delivery-failure'] as const;

/** Keeps the sets that did not change. A tenant's rule that cannot be read is left out; policy, which asks all rules, says so. */
export const queueRuleCompiler = (): RuleCompiler => createRuleCompiler(() => undefined, deliveryRules);

export function compilePolicy(snapshot: Snapshot, ruleCompiler = queueRuleCompiler()): PolicyInUse {
  const rules = ruleCompiler.compile(snapshot.rules, rightsOf(snapshot.tenants));
  const tenants = new Map(snapshot.tenants.map((tenant) => [tenant.name, tenant]));
  return {
    version: snapshot.version,
    hostname: snapshot.hostname || 'localhost.localdomain',
    router: createRouter(snapshot),
    schedule: scheduleOf(snapshot.retry),
    egressPools: snapshot.egressPools,
    rules,
    rulesDelivery: deliveryEvents.some((event) => rules.has(event)),
    weightOf: (tenant) => tenants.get(tenant)?.weight || 1,
    isSuspended: (tenant) => tenants.get(tenant)?.state === 'suspended',
  };
}
