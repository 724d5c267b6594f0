/**
 * Regular expressions of conditions, run by a linear-time engine. Linear is not free, so every text is paid for before it is looked at: one step
 * a character where the automaton of the pattern is small, else one for each instruction of its program. The automaton is made when the pattern has
 * cost as much without. Checked when a rule is saved; the cache only saves work.
 */
import { RE2JS } from 're2js';
import { makeAutomaton, withoutAutomaton } from './automaton.js';
import { mayMakeAutomaton, spend } from './effort.js';
import { remember } from './remember.js';

const PATTERN_LIMIT = 500;
const PROGRAM_LIMIT = 1_000;
/** Steps without an automaton after which one is made. */
const PATIENCE = 100_000;
/** States of all automata together; about 1 KiB each. Beyond that they are made again as they are needed. */
const STATE_LIMIT = 50_000;

interface Pattern {
  readonly engine: RE2JS;
  readonly size: number;
  /** What a character costs. */
  kind: 'untried' | 'small' | 'large';
  spent: number;
}

const patterns = new Map<string, Pattern>();
const made = new Set<Pattern>();
let states = 0;

/** Undefined when the pattern is fine, else what is wrong with it. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > PATTERN_LIMIT) return `the pattern is longer than ${PATTERN_LIMIT} characters`;
  try {
    return prepared(pattern).size > PROGRAM_LIMIT ? 'the pattern is too large: write smaller repeat counts' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'the pattern is malformed';
  }
}

export function patternFinds(text: string, source: string): boolean {
  const pattern = prepared(source);
  const dear = text.length * pattern.size;
  if (pattern.kind === 'untried' && pattern.spent + dear > PATIENCE && mayMakeAutomaton()) make(pattern);
  if (pattern.kind === 'small') spend(text.length, 'patterns');
  else {
    pattern.spent += dear;
    spend(dear, 'patterns');
  }
  const before = pattern.engine.re2().dfa.stateCount;
  const found = pattern.engine.test(text);
  if (pattern.kind === 'small') count(pattern, pattern.engine.re2().dfa.stateCount - before);
  return found;
}

function make(pattern: Pattern): void {
  pattern.kind = makeAutomaton(pattern.engine) ? 'small' : 'large';
  if (pattern.kind === 'small') count(pattern, pattern.engine.re2().dfa.stateCount);
}

function count(pattern: Pattern, more: number): void {
  if (more <= 0) return;
  made.add(pattern);
  states += more;
  if (states <= STATE_LIMIT) return;
  for (const { engine } of made) engine.re2().dfa.clearCache();
  made.clear();
  states = 0;
}

function prepared(source: string): Pattern {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  const engine = RE2JS.compile(source);
  withoutAutomaton(engine);
  const pattern: Pattern = { engine, size: engine.programSize(), kind: 'untried', spent: 0 };
  remember(patterns, source, pattern);
  return pattern;
}
