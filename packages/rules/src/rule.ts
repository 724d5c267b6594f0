/**
 * One rule: what a user writes (an object, from YAML or JSON) and what it becomes. Priorities run from low to high, then
 * in the order written: that of the operator file, then that in which rules were first saved. A rule whose action ends the judgement stops its rule set; `stop` can say so for any other.
 */

import type { Action, ActionKind } from './action.js';
import { parseAction } from './action-parser.js';
import { isFinal } from './action-rules.js';
import type { Database, Unsupported } from './carried-out.js';
import { actionEvents } from './carried-out.js';
import { isKnownAt, isRuleEvent, type RuleEvent, ruleEvents } from './event.js';
import { compileExpression, type Expression } from './expression.js';
import type { ExpressionScope } from './expression-walk.js';
import { isOfRecipient, namesRecipient } from './fact-table.js';
import { consequenceOf, type FaultConsequence, faultConsequences, mayPutOff } from './fault.js';
import { type FieldProblem, Fields, isPlainObject } from './fields.js';
import { type Filler, type ReadFiller, readFiller } from './filled-action.js';
import { idleActions } from './idle-action.js';
import { placeholderIn } from './literal-text.js';
import { nearest, placeOf, type RuleProblem, START } from './problem.js';

/** The written form, for those who build rules in code. Anything else is refused with a problem, never an exception. */
export interface RuleDocument {
  readonly id: string;
  readonly version?: number;
  readonly event: RuleEvent;
  readonly priority?: number;
  readonly match?: 'all' | 'any';
  /** One condition or several; absent: always. */
  readonly when?: string | readonly string[];
  readonly then: readonly unknown[];
  readonly stop?: boolean;
  /** When a refusal of connection, greeting, login or sender is told. */
  readonly answer?: 'at-once' | 'at-rcpt';
  /** What becomes of mail about which it cannot be computed; absent: as its actions are. */
  readonly onFault?: FaultConsequence;
}

export interface Rule {
  readonly id: string;
  readonly version: number;
  readonly event: RuleEvent;
  readonly priority: number;
  readonly match: 'all' | 'any';
  readonly conditions: readonly Expression[];
  readonly actions: readonly Action[];
  /** By the place of the action: those whose text has facts in it. Absent = none has. */
  readonly fillers?: readonly (Filler | undefined)[];
  readonly stop: boolean;
  readonly answer: 'at-once' | 'at-rcpt';
  readonly onFault: FaultConsequence;
  /** Facts its conditions and texts name. */
  readonly facts: ReadonlySet<string>;
  /** Its conditions may say another thing of another recipient of the same message. */
  readonly asksRecipient: boolean;
  /** They ask who the recipient is: what it limits, it limits for that recipient. */
  readonly namesRecipient: boolean;
}

export type RuleScope =
  | { readonly kind: 'operator' }
  | {
      readonly kind: 'tenant';
      readonly tenant: string;
      /** One of its domains, or a user of it as user@domain; absent or '' = the whole tenant. */
      readonly target?: string;
      /** Loosening actions the operator lets this tenant use, its domains and users included. */
      readonly permitted?: readonly ActionKind[];
    };

export interface RuleOptions {
  readonly scope: RuleScope;
  /** Databases that are there; country and asn facts need theirs. */
  readonly available?: readonly Database[];
  /** Refuses what nobody would act on; absent: everything in the language passes. */
  readonly unsupported?: Unsupported;
  /** Being saved: what can never match or would stand literally is refused too, and what was saved before goes on as it is. */
  readonly isNew?: boolean;
}

export type ReadRule =
  | { readonly ok: true; readonly rule: Rule }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const CONDITION_LIMIT = 20;
const ACTION_LIMIT = 20;
const HIGHEST = 1_000_000;
const DEFAULT_PRIORITY = 100;

export function readRule(written: unknown, fallbackId: string, options: RuleOptions): ReadRule {
  if (!isPlainObject(written))
    return {
      ok: false,
      problems: [{ ruleId: fallbackId, field: '', ...START, message: 'is not a rule', hint: 'write an object' }],
    };
  const fields = new Fields(written);
  const id = fields.text('id', undefined, 64);
  if (id !== '' && !ID.test(id)) fields.fail('id', 'is not an identifier', 'letters, digits, dot, dash, underscore');
  const named = readEvent(fields);
  // What may be said and done follows from the event: without it the rest would only be guessed at.
  const event = named ?? 'body';
  const rule = {
    id,
    version: fields.integer('version', [1, HIGHEST], 1),
    event,
    priority: fields.integer('priority', [0, HIGHEST], DEFAULT_PRIORITY),
    match: fields.oneOf('match', ['all', 'any'], 'all'),
  };
  const conditions = readConditions(fields, event, options);
  const asked = new Set(conditions.list.flatMap((condition) => [...condition.facts]));
  const actions = readActions(fields, event, asked, options);
  const facts = actions.fillers === undefined ? asked : new Set([...asked, ...actions.fillers.flatMap(factsOf)]);
  const stop = fields.flag('stop', actions.list.some(isFinal));
  const answer = fields.oneOf('answer', ['at-once', 'at-rcpt'], 'at-once');
  if (named !== undefined && fields.has('answer') && isKnownAt('rcpt', event))
    fields.fail('answer', `is no question at ${event}`, 'leave it out: it is told at the command itself');
  const onFault = fields.oneOf('onFault', faultConsequences, consequenceOf(event, actions.list));
  if (named !== undefined && onFault === 'tempfail' && !mayPutOff(event))
    fields.fail('onFault', `puts nothing off at ${event}`, 'leave it out: what the rule was to do is not done');
  fields.done();
  const ruleId = ID.test(id) ? id : fallbackId;
  const problems = [
    ...fields.problems.map((problem) => ({ ruleId, ...START, ...problem })),
    ...(named === undefined ? [] : [...conditions.problems, ...actions.problems]).map((problem) => ({
      ruleId,
      ...problem,
    })),
  ];
  if (problems.length > 0) return { ok: false, problems };
  const asksRecipient = [...asked].some(isOfRecipient);
  const read = {
    ...rule,
    conditions: conditions.list,
    actions: actions.list,
    ...(actions.fillers === undefined ? {} : { fillers: actions.fillers }),
    stop,
    answer,
    onFault,
    facts,
    asksRecipient,
    namesRecipient: [...asked].some(namesRecipient),
  };
  return { ok: true, rule: read };
}

interface Read<Item> {
  readonly list: readonly Item[];
  readonly problems: readonly Omit<RuleProblem, 'ruleId'>[];
}

function readEvent(fields: Fields): RuleEvent | undefined {
  const event = fields.value('event');
  if (isRuleEvent(event)) return event;
  const near = typeof event === 'string' ? nearest(event, ruleEvents) : undefined;
  const all = ruleEvents.join(', ');
  fields.fail('event', 'is not an event', near === undefined ? all : `did you mean ${near}? known: ${all}`);
  return undefined;
}

const expressionScope = (event: RuleEvent, { available, unsupported, isNew, scope }: RuleOptions): ExpressionScope => ({
  ...{ event, unsupported: unsupported?.fact, available: new Set(available ?? []), isNew },
  isTenant: scope.kind === 'tenant',
});

function readConditions(fields: Fields, event: RuleEvent, options: RuleOptions): Read<Expression> {
  const written = fields.value('when') ?? [];
  const single = typeof written === 'string';
  const sources: unknown[] = single ? [written] : Array.isArray(written) ? written : [undefined];
  if (sources.length > CONDITION_LIMIT) fields.fail('when', 'has too many conditions', `at most ${CONDITION_LIMIT}`);
  const list: Expression[] = [];
  const problems: Omit<RuleProblem, 'ruleId'>[] = [];
  for (const [index, source] of sources.slice(0, CONDITION_LIMIT).entries()) {
    const field = single ? 'when' : `when[${index}]`;
    if (typeof source !== 'string') {
      problems.push({ field, ...START, message: 'is not a condition', hint: 'write a text' });
      continue;
    }
    const compiled = compileExpression(source, expressionScope(event, options));
    if (compiled.ok) list.push(compiled.expression);
    else problems.push(...compiled.problems.map((problem) => ({ field, ...problem })));
  }
  return { list, problems };
}

const factsOf = (filler: Filler | undefined): readonly string[] => filler?.facts ?? [];

interface ReadActions extends Read<Action> {
  readonly fillers: readonly (Filler | undefined)[] | undefined;
}

function readActions(fields: Fields, event: RuleEvent, facts: ReadonlySet<string>, options: RuleOptions): ReadActions {
  const written = fields.value('then');
  const isList = Array.isArray(written);
  const entries: unknown[] = isList ? written : written === undefined ? [] : [written];
  if (entries.length === 0 || entries.length > ACTION_LIMIT)
    fields.fail('then', 'needs actions', `1 to ${ACTION_LIMIT} actions`);
  const { scope } = options;
  const actionScope = {
    event,
    tenant: scope.kind === 'tenant',
    permitted: new Set(scope.kind === 'tenant' ? (scope.permitted ?? []) : []),
  };
  const list: Action[] = [];
  const fillers: (Filler | undefined)[] = [];
  const problems: Omit<RuleProblem, 'ruleId'>[] = [];
  for (const [index, entry] of entries.slice(0, ACTION_LIMIT).entries()) {
    const field = isList ? `then[${index}]` : 'then';
    const parsed = parseAction(entry, actionScope);
    const text = parsed.ok ? readFiller(parsed.action, expressionScope(event, options)) : undefined;
    const named = text === undefined ? facts : new Set([...facts, ...text.filler.facts]);
    const reason = parsed.ok ? options.unsupported?.action(parsed.action, event, named) : undefined;
    const literal = parsed.ok && options.isNew === true ? placeholderIn(parsed.action) : undefined;
    if (parsed.ok && literal !== undefined)
      problems.push({
        field: `${field}.${parsed.action.kind}.${literal.field}`,
        ...START,
        message: `is not filled in: ${literal.written} would stand there as it is written`,
        hint: literal.hint,
      });
    else if (parsed.ok && text !== undefined && text.mistakes.length > 0 && options.isNew === true)
      problems.push(...textProblems(text, `${field}.${parsed.action.kind}`));
    else if (parsed.ok && reason !== undefined)
      problems.push({
        field,
        ...START,
        message: `${parsed.action.kind} ${reason}`,
        hint: actionEvents(parsed.action.kind).includes(event)
          ? 'remove it'
          : `move the rule to ${actionEvents(parsed.action.kind).join(', ')}`,
      });
    else if (parsed.ok) {
      list.push(parsed.action);
      fillers.push(text?.filler);
    } else problems.push(...parsed.problems.map((problem) => located(problem, field)));
  }
  // Places are those written only where every entry was read.
  if (options.isNew === true && problems.length === 0)
    for (const { index, beside } of idleActions(list))
      problems.push({
        field: isList ? `then[${index}]` : 'then',
        ...START,
        message: `cannot be done beside ${beside}`,
        hint: 'leave one of the two out, or write a rule for each',
      });
  return { list, problems, fillers: fillers.some((filler) => filler !== undefined) ? fillers : undefined };
}

const textProblems = ({ mistakes }: ReadFiller, within: string): Omit<RuleProblem, 'ruleId'>[] =>
  mistakes.flatMap(({ field, text, complaints }) =>
    complaints.map(({ offset, message, hint }) => ({
      field: `${within}.${field}`,
      ...placeOf(text, offset),
      ...{ message, hint },
    })),
  );

function located(problem: FieldProblem, within: string): Omit<RuleProblem, 'ruleId'> {
  return { ...START, ...problem, field: `${within}${problem.field}` };
}
