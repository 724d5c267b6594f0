/** Which texts of an action may hold facts, and the action with them filled in. */
import type { Action } from './action.js';
import type { Complaint, ExpressionScope } from './expression-walk.js';
import { readText } from './text-template.js';

/** Gives the action as it is for these facts. */
export interface Filler {
  readonly facts: readonly string[];
  readonly fill: (context: object) => Action;
}

export interface ReadFiller {
  /** Undefined = the action says the same of all mail. */
  readonly filler: Filler | undefined;
  readonly field: string;
  readonly text: string;
  readonly complaints: readonly Complaint[];
}

interface Filled {
  readonly field: 'text' | 'reason' | 'value';
  readonly text: string;
  readonly limit: number;
  readonly withText: (text: string) => Action;
}

function filledField(action: Action): Filled | undefined {
  switch (action.kind) {
    case 'reject':
    case 'tempfail':
    case 'close':
    case 'requireTls':
      return { field: 'text', text: action.text, limit: 400, withText: (text) => ({ ...action, text }) };
    case 'greeting':
      return { field: 'text', text: action.text, limit: 200, withText: (text) => ({ ...action, text }) };
    case 'ndrText':
      return { field: 'text', text: action.text, limit: 1_000, withText: (text) => ({ ...action, text }) };
    case 'quarantine':
    case 'hold':
      return { field: 'reason', text: action.reason, limit: 400, withText: (reason) => ({ ...action, reason }) };
    case 'addHeader':
    case 'addHeaderIfAbsent':
    case 'changeHeader':
      return { field: 'value', text: action.value, limit: 900, withText: (value) => ({ ...action, value }) };
    default:
      return undefined;
  }
}

export const mayBeFilled = (action: Action): boolean => filledField(action) !== undefined;

export function readFiller(action: Action, scope: ExpressionScope): ReadFiller | undefined {
  const field = filledField(action);
  if (field === undefined || !field.text.includes('${')) return undefined;
  const { template, complaints } = readText(field.text, scope, field.limit);
  const filler =
    template === undefined
      ? undefined
      : { facts: template.facts, fill: (context: object) => field.withText(template.fill(context)) };
  return { filler, complaints, field: field.field, text: field.text };
}
