/**
 * From what the user wrote in `then` to typed actions. One entry is a word (`accept`) or an object with one key
 * (`{ reject: { text: ... } }`). What a kind may is in action-rules.ts; what is wrong is told with the way to put it right.
 */
import { type Action, type ActionKind, permittableActions } from './action.js';
import { actionDoc, actionKinds, usageOf } from './action-fields.js';
import { type ActionRule, actionRule } from './action-rules.js';
import { actionEvents } from './carried-out.js';
import type { RuleEvent } from './event.js';
import { type FieldProblem, Fields, isPlainObject } from './fields.js';
import { nearest } from './problem.js';

export interface ActionScope {
  readonly event: RuleEvent;
  readonly tenant: boolean;
  /** Kinds the operator lets this tenant use although they loosen. */
  readonly permitted: ReadonlySet<ActionKind>;
}

export type ParsedAction =
  | { readonly ok: true; readonly action: Action }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

export function parseAction(written: unknown, scope: ActionScope): ParsedAction {
  const named = namedBody(written);
  if ('problem' in named) return { ok: false, problems: [named.problem] };
  const { name, rule, body } = named;
  const fields = new Fields(body);
  const action = rule.parse(fields);
  fields.done();
  if (!rule.events(scope.event))
    fields.fail('', `cannot act at ${scope.event}`, `move the rule to ${eventsOf(action.kind)}`);
  if (scope.tenant && !rule.tenant && !scope.permitted.has(action.kind))
    fields.fail('', 'is not open to a tenant', wayOpen(action.kind));
  return fields.problems.length > 0 ? { ok: false, problems: fields.problems.map(inside(name)) } : { ok: true, action };
}

/** Where the operator can open it, and where nobody can. */
const wayOpen = (kind: ActionKind): string =>
  permittableActions.some((open) => open === kind)
    ? 'ask the operator to name it in ruleActions of the tenant'
    : 'leave it to rules of the operator: it cannot be opened to tenants';

/** Those of the language that this release carries out. */
const eventsOf = (kind: ActionKind): string => actionEvents(kind).join(', ');

type NamedBody =
  | { readonly name: string; readonly rule: ActionRule; readonly body: Readonly<Record<string, unknown>> }
  | { readonly problem: FieldProblem };

const entryForm = 'write a word such as dropRecipient, or an object with one key such as tag: { name: large }';

/** One entry of `then`: a word, or an object with one key. */
function namedBody(written: unknown): NamedBody {
  const wrong = (message: string, hint: string): NamedBody => ({ problem: { field: '', message, hint } });
  if (typeof written !== 'string' && !isPlainObject(written)) return wrong('is not an action', entryForm);
  const keys = typeof written === 'string' ? [written] : Object.keys(written);
  const [name] = keys;
  if (name === undefined) return wrong('names no action', entryForm);
  if (keys.length > 1) {
    const other = actionKinds.includes(keys[1] ?? '') ? 'write an entry of the list for each' : usageHint(name);
    return wrong(`has more than one key: ${keys.slice(0, 5).join(', ')}`, other);
  }
  const rule = actionRule(name);
  if (rule === undefined) return wrong(`"${name}" is not an action`, nameHint(name));
  const body = typeof written === 'string' ? {} : (written[name] ?? {});
  if (isPlainObject(body)) return { name, rule, body };
  const given = typeof body === 'string' || typeof body === 'number' ? body : undefined;
  const told = given === undefined ? 'a list' : JSON.stringify(given);
  return wrong(`${name} takes fields, not ${told}`, usageHint(name, given));
}

function usageHint(name: string, given?: string | number): string {
  const known = actionDoc(name)?.fields.map((field) => field.name) ?? [];
  return known.length === 0
    ? `write ${usageOf(name)}`
    : `write ${usageOf(name, given)}; its fields: ${known.join(', ')}`;
}

function nameHint(name: string): string {
  const near = nearest(name, actionKinds);
  return near === undefined ? `use one of ${actionKinds.join(', ')}` : `did you mean ${near}?`;
}

function inside(name: string) {
  return (problem: FieldProblem): FieldProblem => ({
    ...problem,
    field: problem.field === '' ? '' : `.${name}.${problem.field}`,
    message: problem.field === '' ? `${name} ${problem.message}` : problem.message,
  });
}
