/**
 * Egress pools named by routes, next hops and rules. A pool that nobody declared has no consumer on WORK, so mail for it would never leave: it is refused
 * where it is written. What was written before its pool was taken away waits in the queue, with the reason. Pure.
 */
import { type Fault, type PlainValue, quoteValue } from '@postern/config';
import { isMap } from './operator/file-rules.js';

const mostNamed = 20;
/** Of what names none. */
export const usualPool = 'default';

export interface NamedPool {
  readonly action: number;
  readonly name: string;
}

export function namedPools({ then }: Readonly<Record<string, PlainValue>>): NamedPool[] {
  const actions = Array.isArray(then) ? then : then === undefined ? [] : [then];
  return actions.flatMap((written, action) => {
    const route = isMap(written) ? written.route : undefined;
    const name = isMap(route) ? route.egressPool : undefined;
    return typeof name === 'string' ? [{ action, name }] : [];
  });
}

export function declaredPools(pools: readonly string[]): string {
  const more = pools.length > mostNamed ? ' ...' : '';
  return `one of ${pools.slice(0, mostNamed).join(', ')}${more} (provisioning.egressPools)`;
}

export const poolMessage = (name: string, pools: readonly string[]): string =>
  `${quoteValue(name)} is not allowed; expected ${declaredPools(pools)}`;

export const isDeclared = (name: string, pools: readonly string[]): boolean => pools.includes(name || usualPool);

/** Of a rule that is saved. */
export const rulePoolFaults = (rule: Readonly<Record<string, PlainValue>>, pools: readonly string[]): Fault[] =>
  namedPools(rule)
    .filter(({ name }) => !isDeclared(name, pools))
    .map(({ action, name }) => ({ path: ['then', action, 'route', 'egressPool'], message: poolMessage(name, pools) }));
