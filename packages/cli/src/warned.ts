/** What was done, and below it what the API has to say about it. An older API says nothing. */
import { printable } from './output.js';

export const warned = (done: string, warnings: readonly string[] = []): string =>
  [done, ...warnings.map((text) => `Note: ${printable(text)}`)].join('\n');
