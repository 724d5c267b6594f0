/**
 * Whether the whole automaton of a pattern is small. Of such a pattern a character costs one step, whatever the text is; of others
 * (`[ab]*a[ab]{20}c`) a text can be made for which nearly every character is a state never seen, which costs more than doing without.
 * Found out once, by walking every state, within a bound of work and memory; the states are then there.
 */
import type { RE2JS } from 're2js';

/** Octets, by the estimate of the engine. */
const MEMORY_LIMIT = 262_144;
/** Instructions looked at. */
const WORK_LIMIT = 300_000;
/** At the beginning of a text and of a line (RE2: EMPTY_BEGIN_LINE, EMPTY_BEGIN_TEXT). */
const AT_BEGIN = 1 | 4;
const UNANCHORED = 0;
const END_OF_TEXT = -1;

type Automaton = ReturnType<RE2JS['re2']>['dfa'];

interface State {
  readonly nfaStates: readonly number[];
}

function isState(value: unknown): value is State {
  return typeof value === 'object' && value !== null && 'nfaStates' in value && Array.isArray(value.nfaStates);
}

/** Without an automaton the engine walks its program for every character. */
export function withoutAutomaton(pattern: RE2JS): void {
  pattern.re2().dfa.failed = true;
}

export function makeAutomaton(pattern: RE2JS): boolean {
  const { dfa, prog } = pattern.re2();
  dfa.stateBudget = MEMORY_LIMIT;
  dfa.clearCache();
  const start: unknown = dfa.makeState([prog.start], AT_BEGIN, []);
  const isSmall = isState(start) && fits(dfa, start);
  dfa.failed = !isSmall;
  if (!isSmall) dfa.clearCache();
  return isSmall;
}

function fits(dfa: Automaton, start: State): boolean {
  const seen = new Set<State>([start]);
  const open: State[] = [start];
  let work = 0;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (let of = 0; of <= dfa.numClasses; of += 1) {
      work += state.nfaStates.length + 4;
      if (work > WORK_LIMIT) return false;
      const isEnd = of === dfa.numClasses;
      const character = of === 0 ? 0 : dfa.classBounds[of - 1];
      const next: unknown = dfa.step(state, of, isEnd ? END_OF_TEXT : character, UNANCHORED);
      if (!isState(next)) return false;
      if (isEnd || seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
  return true;
}
