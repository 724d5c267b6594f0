/** Egress pools the operator file names: of its next hops, of routes of its tenants, and in route actions of its rules. Pure. */
import type { Fault, FieldPath } from '@postern/config';
import { isDeclared, poolMessage, rulePoolFaults } from '../egress-pools.js';
import { fileRules, isMap } from './file-rules.js';
import type { OperatorDocument } from './schema.js';

export function filePoolFaults({ nextHops, tenants, rules }: OperatorDocument, pools: readonly string[]): Fault[] {
  const judge = (name: string, path: FieldPath): Fault[] =>
    isDeclared(name, pools) ? [] : [{ path, message: poolMessage(name, pools) }];
  return [
    ...Object.entries(nextHops).flatMap(([name, { egressPool }]) =>
      judge(egressPool, ['nextHops', name, 'egressPool']),
    ),
    ...tenants.flatMap(({ routes }, tenant) =>
      routes.flatMap(({ egressPool }, route) => judge(egressPool, ['tenants', tenant, 'routes', route, 'egressPool'])),
    ),
    ...fileRules(rules).flatMap(({ index, rule }) =>
      isMap(rule)
        ? rulePoolFaults(rule, pools).map((fault) => ({ ...fault, path: ['rules', index, ...fault.path] }))
        : [],
    ),
  ];
}
