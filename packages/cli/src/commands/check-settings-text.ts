/** What a scope sets differently for checks in words: its document, what of it is not in effect and why, and the settings in force. */
import type { EffectiveCheckField } from '@postern/proto/provisioning/v1/provisioning_service';
import type { CheckSettings } from '@postern/proto/provisioning/v1/resources';
import { type Column, printable, table } from '../output.js';

export function documentText({ document, notInEffect }: CheckSettings, whose: string): string {
  if (document === '') return `${whose} sets nothing differently.`;
  if (notInEffect.length === 0) return document;
  return [
    document.trimEnd(),
    '',
    "Not in effect, since the operator's settings of now do not allow it; of each such check nothing is:",
    ...notInEffect.map((line) => `  ${printable(line)}`),
  ].join('\n');
}

const columns: readonly Column<EffectiveCheckField>[] = [
  { title: 'FIELD', value: ({ field }) => field },
  { title: 'SET BY', value: ({ setBy }) => printable(setBy) },
  { title: 'VALUE', value: ({ value }) => printable(value) },
];

export const effectiveText = (fields: readonly EffectiveCheckField[]): string => table(fields, columns, '');
