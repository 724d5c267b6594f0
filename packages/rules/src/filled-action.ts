/** Which texts of an action may hold facts, and the action with them filled in. */
import type { Action } from './action.js';
import type { Complaint, ExpressionScope } from './expression-walk.js';
import { isOfRecipient, isOfSubmitter } from './fact-table.js';
import { readText } from './text-template.js';

export type TextSubject = 'recipient' | 'submitter';

/** Gives the action as it is for these facts. */
export interface Filler {
  readonly facts: readonly string[];
  /** Whose facts are in the text: it says another thing of another recipient, or names who logged in. */
  readonly about: readonly TextSubject[];
  readonly fill: (context: object) => Action;
}

export interface TextMistakes {
  readonly field: string;
  readonly text: string;
  readonly complaints: readonly Complaint[];
}

export interface ReadFiller {
  readonly filler: Filler;
  readonly mistakes: readonly TextMistakes[];
}

type Field = 'text' | 'reason' | 'value' | 'prefix' | 'suffix';

interface Place {
  readonly field: Field;
  readonly text: string;
  readonly limit: number;
  readonly put: (action: Action, text: string) => Action;
}

/** Words around a value keep their spaces, and may be nothing. */
const around: ReadonlySet<Field> = new Set<Field>(['prefix', 'suffix']);
/** A text that would be empty. */
const nothing = '-';

const withText = (limit: number, text: string): Place[] => [
  { field: 'text', text, limit, put: (action, filled) => ('text' in action ? { ...action, text: filled } : action) },
];

function placesIn(action: Action): readonly Place[] {
  switch (action.kind) {
    case 'reject':
    case 'tempfail':
    case 'close':
    case 'requireTls':
      return withText(400, action.text);
    case 'greeting':
      return withText(200, action.text);
    case 'ndrText':
      return withText(1_000, action.text);
    case 'quarantine':
    case 'hold': {
      const put = (into: Action, reason: string): Action => ('reason' in into ? { ...into, reason } : into);
      return [{ field: 'reason', text: action.reason, limit: 400, put }];
    }
    case 'addHeader':
    case 'addHeaderIfAbsent':
      return [valueField(action.value)];
    case 'changeHeader':
      return [
        valueField(action.value),
        {
          ...{ field: 'prefix', text: action.prefix, limit: 200 },
          put: (into, prefix) => (into.kind === 'changeHeader' ? { ...into, prefix } : into),
        },
        {
          ...{ field: 'suffix', text: action.suffix, limit: 200 },
          put: (into, suffix) => (into.kind === 'changeHeader' ? { ...into, suffix } : into),
        },
      ];
    default:
      return [];
  }
}

const valueField = (text: string): Place => ({
  ...{ field: 'value', text, limit: 900 },
  put: (action, value) => ('value' in action ? { ...action, value } : action),
});

export const mayBeFilled = (action: Action, field: string): boolean =>
  placesIn(action).some((place) => place.field === field);

/** Undefined = the action says the same of all mail. */
export function readFiller(action: Action, scope: ExpressionScope): ReadFiller | undefined {
  const mistakes: TextMistakes[] = [];
  const facts: string[] = [];
  const fills: ((into: Action, context: object) => Action)[] = [];
  for (const { field, text, limit, put } of placesIn(action)) {
    const { template, complaints } = readText(text, scope, limit);
    if (template === undefined) continue;
    if (complaints.length > 0) mistakes.push({ field, text, complaints });
    facts.push(...template.facts);
    fills.push((into, context) => {
      const filled = template.fill(context);
      return put(into, around.has(field) ? filled : filled.trim() || nothing);
    });
  }
  if (fills.length === 0) return undefined;
  const fill = (context: object): Action => fills.reduce((made, each) => each(made, context), action);
  const about: TextSubject[] = [];
  if (facts.some(isOfRecipient)) about.push('recipient');
  if (facts.some(isOfSubmitter)) about.push('submitter');
  return { filler: { facts, about, fill }, mistakes };
}
