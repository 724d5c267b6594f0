/**
 * What the rules of one owner may spend on text in one evaluation, counted in steps and not in time: the same mail costs the same on a busy
 * machine. A step is one character through an automaton, about 20 ns. Evaluation is synchronous, so one count serves whichever is running.
 */

/** Sixteen patterns over the longest header section there is. */
export const EFFORT_LIMIT = 4_194_304;
/** Making a whole automaton takes up to 20 ms; so many in one evaluation. */
const AUTOMATA_LIMIT = 2;

let effort = EFFORT_LIMIT;
let automata = AUTOMATA_LIMIT;

export function renewEffort(): void {
  effort = EFFORT_LIMIT;
  automata = AUTOMATA_LIMIT;
}

/** Throws where more is asked for than is left, which then stays for what costs less. */
export function spend(steps: number, on: 'patterns' | 'text'): void {
  if (steps > effort) throw new RangeError(`${on} took too many steps`);
  effort -= steps;
}

export function mayMakeAutomaton(): boolean {
  automata -= 1;
  return automata >= 0;
}
