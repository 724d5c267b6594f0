/** Asks before something goes for good: on a terminal by a question, elsewhere by wanting --yes. */
import { createInterface } from 'node:readline/promises';
import type { Terminal } from './password.js';
import { PlainError } from './usage-error.js';

/** `what` is a sentence about what would happen. Throws where it is not wanted. */
export async function confirm(what: string, options: { readonly yes?: boolean }, terminal: Terminal): Promise<void> {
  if (options.yes === true) return;
  if (terminal.input.isTTY !== true) throw new PlainError(`${what} Nothing was done; --yes does it`);
  const lines = createInterface({ input: terminal.input });
  terminal.error(`${what} Go on? [y/N] `);
  try {
    let answer = '';
    for await (const line of lines) {
      answer = line;
      break;
    }
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new PlainError('nothing was done');
  } finally {
    lines.close();
  }
}
