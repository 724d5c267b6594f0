/**
 * All rules of one scope, checked together and indexed. A rule that demands one recipient domain (or sender domain) by
 * equality is only looked at for that domain, so a thousand rules of which fifty apply cost fifty. A set is compiled
 * whole or not at all, is immutable, and is swapped by reference.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { type RuleEvent, ruleEvents } from './event.js';
import { factNameOf, literalTexts } from './expression-walk.js';
import { type RuleProblem, START } from './problem.js';
import { type ReadRule, type Rule, type RuleOptions, type RuleScope, readRule } from './rule.js';

export interface RankedRule {
  readonly rule: Rule;
  /** Place in the order of evaluation within its event. */
  readonly rank: number;
}

export interface EventRules {
  readonly general: readonly RankedRule[];
  readonly byRecipientDomain: ReadonlyMap<string, readonly RankedRule[]>;
  readonly bySenderDomain: ReadonlyMap<string, readonly RankedRule[]>;
}

export interface RuleSet {
  readonly scope: RuleScope;
  readonly size: number;
  readonly events: ReadonlyMap<RuleEvent, EventRules>;
}

export type CompiledRules =
  | { readonly ok: true; readonly set: RuleSet }
  | { readonly ok: false; readonly errors: readonly RuleProblem[] };

const RULE_LIMIT = 10_000;

export function compileRules(documents: readonly unknown[], options: RuleOptions): CompiledRules {
  if (documents.length > RULE_LIMIT) {
    const problem = { ruleId: '', field: '', ...START, message: 'too many rules', hint: `at most ${RULE_LIMIT}` };
    return { ok: false, errors: [problem] };
  }
  const read = documents.map((document, index) => readRule(document, `#${index + 1}`, options));
  const errors = [...read.flatMap((result) => (result.ok ? [] : result.problems)), ...repeatedIds(read)];
  if (errors.length > 0) return { ok: false, errors };
  const rules = read.flatMap((result) => (result.ok ? [result.rule] : []));
  return { ok: true, set: { scope: options.scope, size: rules.length, events: indexed(rules) } };
}

function repeatedIds(read: readonly ReadRule[]): RuleProblem[] {
  const seen = new Set<string>();
  return read.flatMap((result) => {
    if (!result.ok) return [];
    const ruleId = result.rule.id;
    if (!seen.has(ruleId)) {
      seen.add(ruleId);
      return [];
    }
    return [{ ruleId, field: 'id', ...START, message: 'is used by another rule', hint: 'give each rule its own id' }];
  });
}

function indexed(rules: readonly Rule[]): ReadonlyMap<RuleEvent, EventRules> {
  const events = new Map<RuleEvent, EventRules>();
  for (const event of ruleEvents) {
    const ordered = rules.filter((rule) => rule.event === event).sort((a, b) => a.priority - b.priority);
    if (ordered.length > 0) events.set(event, indexedEvent(ordered));
  }
  return events;
}

function indexedEvent(ordered: readonly Rule[]): EventRules {
  const general: RankedRule[] = [];
  const byRecipientDomain = new Map<string, RankedRule[]>();
  const bySenderDomain = new Map<string, RankedRule[]>();
  for (const [rank, rule] of ordered.entries()) {
    const recipients = demanded(rule, 'recipient.domain');
    const senders = recipients === undefined ? demanded(rule, 'sender.domain') : undefined;
    if (recipients !== undefined) file(byRecipientDomain, recipients, { rule, rank });
    else if (senders !== undefined) file(bySenderDomain, senders, { rule, rank });
    else general.push({ rule, rank });
  }
  return { general, byRecipientDomain, bySenderDomain };
}

function file(index: Map<string, RankedRule[]>, domains: ReadonlySet<string>, ranked: RankedRule): void {
  for (const domain of domains) {
    const rules = index.get(domain);
    if (rules === undefined) index.set(domain, [ranked]);
    else rules.push(ranked);
  }
}

/** The only values of a fact with which the rule can match, when its conditions say so plainly. */
function demanded(rule: Rule, fact: string): ReadonlySet<string> | undefined {
  if (rule.match === 'any' && rule.conditions.length > 1) return undefined;
  for (const { ast } of rule.conditions) {
    for (const part of conjuncts(ast)) {
      const values = equalTo(part, fact);
      if (values.length > 0) return new Set(values);
    }
  }
  return undefined;
}

function conjuncts(node: ASTNode): ASTNode[] {
  return node.op === '&&' ? node.args.flatMap(conjuncts) : [node];
}

function equalTo(node: ASTNode, fact: string): readonly string[] {
  if (node.op !== '==' && node.op !== 'in') return [];
  const [left, right] = node.args;
  if (factNameOf(left) === fact) return literalTexts(right);
  return node.op === '==' && factNameOf(right) === fact ? literalTexts(left) : [];
}
