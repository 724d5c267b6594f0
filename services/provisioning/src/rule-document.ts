/** The text of one rule, YAML or JSON, as what the snapshot holds; refused with every fault, each with its field, value and place. */
import { ConfigError, locateYaml, type PlainValue, pathText, plainOf } from '@postern/config';
import { PosternError } from '@postern/errors';
import type { ActionKind } from '@postern/rules';
import { invalid } from './request-fields.js';
import { ruleFaults } from './rule-faults.js';

const longestDocument = 65_536;
const mostFaults = 10;

export interface RuleOwner {
  /** Empty: a rule of the server scope. */
  readonly tenant: string;
  /** A domain or user of the tenant; empty = all of it. */
  readonly scope: string;
  /** Loosening actions the operator lets the tenant use. */
  readonly permitted: readonly ActionKind[];
  /** The operator names a database of autonomous systems. */
  readonly hasAsn: boolean;
}

export function readRuleDocument(id: string, owner: RuleOwner, text: string): Readonly<Record<string, PlainValue>> {
  if (text.length > longestDocument)
    throw invalid('rule.document', `${text.length} characters`, `at most ${longestDocument}`);
  let plain: PlainValue;
  try {
    plain = plainOf(locateYaml(text, 'rule.document'));
  } catch (error) {
    if (error instanceof ConfigError) throw new PosternError('invalid-argument', error.message);
    throw error;
  }
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) {
    throw invalid('rule.document', text, 'a map with event, when and then');
  }
  const document = { ...plain, id };
  const { tenant, scope: target, permitted, hasAsn } = owner;
  const faults = ruleFaults(
    [document],
    tenant === '' ? { kind: 'operator' } : { kind: 'tenant', tenant, target, permitted },
    hasAsn,
  );
  if (faults.length === 0) return document;
  const lines = faults.slice(0, mostFaults).map(({ path: [, , ...field], message }) => {
    return ['rule.document', pathText(field), message].filter((part) => part !== '').join(': ');
  });
  throw new PosternError('invalid-argument', lines.join('\n'));
}
