/**
 * Texts of actions stand on the wire as they are written: `{spf.result}` in one would be told literally. Who writes it means the fact; said when the
 * rule is saved.
 */
import type { Action } from './action.js';
import { factEntry } from './fact-table.js';

const placeholder = /\$?\{\{?\s*([A-Za-z][\w.]*)\s*\}?\}/g;

/** The field and the placeholder in it. */
export function placeholderIn(action: Action): { readonly field: string; readonly written: string } | undefined {
  for (const [field, value] of Object.entries(action)) {
    if (typeof value !== 'string') continue;
    for (const [written, name = ''] of value.matchAll(placeholder))
      if (factEntry(name) !== undefined || name === 'headers' || name.startsWith('headers.')) return { field, written };
  }
  return undefined;
}
