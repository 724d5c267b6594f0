/**
 * The text of one rule, YAML or JSON, as what the snapshot holds; refused with every fault, each with the line of the text, its field and its value.
 * Line and column of a condition are told within it: folded text has other lines than the file.
 */
import {
  ConfigError,
  type Fault,
  type FieldPath,
  type Located,
  locateYaml,
  type PlainValue,
  pathText,
  placeOf,
  plainOf,
  quoteValue,
} from '@postern/config';
import { PosternError } from '@postern/errors';
import type { ActionKind, RuleScope } from '@postern/rules';
import { invalid } from './request-fields.js';
import { ruleFaults, ruleRisks } from './rule-faults.js';

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
  /** What the request calls the text; by default `rule.document`. */
  readonly field?: string;
}

export interface RuleDocument {
  readonly document: Readonly<Record<string, PlainValue>>;
  /** What was taken and some mail cannot be judged by. */
  readonly warnings: readonly string[];
  /** Refuses it for what only the caller knows, such as names that must exist. */
  refuse(faults: readonly Fault[]): void;
}

export function readRuleDocument(id: string, owner: RuleOwner, text: string): RuleDocument {
  const { field = 'rule.document' } = owner;
  if (text.length > longestDocument) throw invalid(field, `${text.length} characters`, `at most ${longestDocument}`);
  let located: Located;
  try {
    located = locateYaml(text, field);
  } catch (error) {
    if (error instanceof ConfigError) throw new PosternError('invalid-argument', error.message);
    throw error;
  }
  const plain = plainOf(located);
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) {
    throw invalid(field, text, 'a map with event, when and then');
  }
  const document = { ...plain, id };
  if (plain.id !== undefined && plain.id !== id)
    throw new PosternError(
      'invalid-argument',
      lineOf(located, ['id'], `${quoteValue(plain.id)} is not the id given; expected ${quoteValue(id)}, or no id`),
    );
  const { tenant, scope: target, permitted, hasAsn } = owner;
  const scope: RuleScope = tenant === '' ? { kind: 'operator' } : { kind: 'tenant', tenant, target, permitted };
  const faults = ruleFaults([document], scope, hasAsn);
  const refuse = (found: readonly Fault[]): void => {
    if (found.length === 0) return;
    const lines = found.slice(0, mostFaults).map(({ path, message }) => lineOf(located, path, message));
    throw new PosternError('invalid-argument', lines.join('\n'));
  };
  refuse(faults.map(({ path: [, , ...path], message }) => ({ path, message })));
  return { document, warnings: ruleRisks(document, scope, hasAsn), refuse };
}

const lineOf = (located: Located, path: FieldPath, message: string): string =>
  [placeOf(located, path), pathText(path), message].filter((part) => part !== '').join(': ');
