/**
 * Facts in braces that are not filled in: `{spf.result}` without `$`, or in a text that is the same for all mail, would be told literally. Who writes it
 * means the fact; said when the rule is saved.
 */
import type { Action } from './action.js';
import { factEntry } from './fact-table.js';
import { mayBeFilled } from './filled-action.js';

const placeholder = /\$*\{\{?\s*([A-Za-z][\w.]*)\s*\}?\}/g;

export interface LiteralFact {
  readonly field: string;
  readonly written: string;
  readonly hint: string;
}

/** The field and the placeholder in it. */
export function placeholderIn(action: Action): LiteralFact | undefined {
  for (const [field, value] of Object.entries(action)) {
    if (typeof value !== 'string') continue;
    for (const [written, name = ''] of value.matchAll(placeholder))
      if (isMeant(action, field, written, name)) return { field, written, hint: instead(action, field, name) };
  }
  return undefined;
}

function isMeant(action: Action, field: string, written: string, name: string): boolean {
  const isFact = factEntry(name) !== undefined || name === 'headers' || name.startsWith('headers.');
  return isFact && !(mayBeFilled(action, field) && written.startsWith('$'));
}

const instead = (action: Action, field: string, name: string): string =>
  mayBeFilled(action, field) && factEntry(name) !== undefined
    ? `write \${${name}}`
    : 'write a rule for each value, with a text of its own';
