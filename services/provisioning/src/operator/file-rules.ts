/**
 * Rules of the operator file by whose they are: `tenant` and `scope` beside event, when and then say so and are no part of the rule itself.
 * Faults keep the number the rule has in the file. Pure.
 */
import type { Fault, PlainValue } from '@postern/config';
import type { ActionKind, RuleScope } from '@postern/rules';
import { ruleFaults, ruleNotes } from '../rule-faults.js';
import type { OperatorDocument } from './schema.js';

export interface FileRule {
  readonly index: number;
  /** Empty = the server. */
  readonly tenant: string;
  /** Domain or user@domain of the tenant; empty = all of it. */
  readonly scope: string;
  readonly rule: PlainValue;
}

type PlainMap = Readonly<Record<string, PlainValue>>;

export const isMap = (value: PlainValue | undefined): value is PlainMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const textOf = (value: PlainValue | undefined): string => (typeof value === 'string' ? value.toLowerCase() : '');

export function fileRules(rules: readonly PlainValue[]): FileRule[] {
  return rules.map((written, index) => {
    if (!isMap(written)) return { index, tenant: '', scope: '', rule: written };
    const { tenant, scope, ...rule } = written;
    return { index, tenant: textOf(tenant), scope: textOf(scope), rule };
  });
}

export const rightsOfTenant = ({ tenants }: OperatorDocument, name: string): readonly ActionKind[] =>
  tenants.find((tenant) => tenant.name === name)?.ruleActions ?? [];

const tenantPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const scopePattern = /^(?:[^\s@]{1,64}@)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}$/;

function ownerFaults(rules: readonly PlainValue[]): Fault[] {
  return rules.flatMap((written, index): Fault[] => {
    if (!isMap(written)) return [];
    const { tenant, scope } = written;
    const at = ['rules', index];
    if (tenant !== undefined && !(typeof tenant === 'string' && tenantPattern.test(tenant)))
      return [
        { path: [...at, 'tenant'], message: `${JSON.stringify(tenant)} is not allowed; expected the name of a tenant` },
      ];
    if (scope === undefined) return [];
    if (tenant === undefined)
      return [{ path: [...at, 'tenant'], message: 'missing; expected the tenant whose domain or user scope names' }];
    if (typeof scope === 'string' && scopePattern.test(scope.toLowerCase())) return [];
    const message = `${JSON.stringify(scope)} is not allowed; expected a domain of the tenant, or user@domain`;
    return [{ path: [...at, 'scope'], message }];
  });
}

/** What rules do for some mail alone, or say otherwise than it is written. */
export const fileRuleNotes = (document: OperatorDocument): Fault[] =>
  fileRules(document.rules).flatMap(({ index, tenant, scope, rule }) => {
    const owner: RuleScope =
      tenant === ''
        ? { kind: 'operator' }
        : { kind: 'tenant', tenant, target: scope, permitted: rightsOfTenant(document, tenant) };
    return ruleNotes(rule, owner, document.asnDatabase !== undefined).map((message) => ({
      path: ['rules', index],
      message,
    }));
  });

export function fileRuleFaults(document: OperatorDocument): Fault[] {
  const faults = ownerFaults(document.rules);
  if (faults.length > 0) return faults;
  const groups = Map.groupBy(fileRules(document.rules), ({ tenant, scope }) => JSON.stringify([tenant, scope]));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { tenant, scope } = first;
    const owner: RuleScope =
      tenant === ''
        ? { kind: 'operator' }
        : { kind: 'tenant', tenant, target: scope, permitted: rightsOfTenant(document, tenant) };
    return ruleFaults(
      group.map(({ rule }) => rule),
      owner,
      document.asnDatabase !== undefined,
    ).map(({ path: [list = 'rules', number, ...field], message }) => {
      const place = typeof number === 'number' ? [list, group[number]?.index ?? number] : [list];
      return { path: [...place, ...field], message };
    });
  });
}
