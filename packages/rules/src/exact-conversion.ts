/**
 * int, double, timestamp and duration of texts, as the language has them: decimal numbers, RFC 3339, lengths like `1h30m`. The engine takes more than that, and
 * an empty text for 0, so that a rule about a number would hold for mail without one. What is none of it is a fault, as any condition that cannot be
 * computed. The condition stays as it was written; what is evaluated looks at each text first.
 */
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { childrenOf } from './fact-form.js';

interface Conversion {
  readonly name: string;
  /** Types that need no look. */
  readonly others: readonly string[];
  /** The text to convert; undefined = it is none. */
  readonly exact: (text: string) => string | undefined;
  readonly exactNumber?: (value: number) => boolean;
}

const whole = /^[+-]?\d{1,19}$/;
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,4})?$/i;
const named = /^(?:[+-]?inf(?:inity)?|nan)$/i;
const moment =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;
const lengthOfTime = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/;
const longestText = 64;

const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined);

function exactDouble(text: string): string | undefined {
  if (named.test(text)) return text;
  return decimal.test(text) && Number.isFinite(Number(text)) ? text : undefined;
}

/** A day there is. */
function exactMoment(text: string): string | undefined {
  const [, year, month, day] = moment.exec(text) ?? [];
  const first = new Date(`${year}-${month}-01T00:00:00Z`);
  if (Number.isNaN(first.getTime())) return undefined;
  const days = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  // No more than milliseconds are kept.
  return Number(day) >= 1 && Number(day) <= days ? text.toUpperCase().replace(/(\.\d{3})\d+/, '$1') : undefined;
}

const isInt64 = (value: number): boolean => value >= -(2 ** 63) && value < 2 ** 63;

const conversions: readonly Conversion[] = [
  { name: 'int', others: ['int'], exact: matching(whole), exactNumber: isInt64 },
  { name: 'double', others: ['int', 'double'], exact: exactDouble },
  { name: 'timestamp', others: ['int'], exact: exactMoment },
  { name: 'duration', others: [], exact: (text) => (text === '0' ? '0s' : matching(lengthOfTime)(text)) },
];

const prefix = 'exact_';
const names: ReadonlySet<string> = new Set(conversions.map(({ name }) => name));

/** Registers what looks at a value before it is converted. */
export function withExactConversions(environment: Environment): Environment {
  for (const { name, others, exact, exactNumber } of conversions) {
    const look = `${prefix}${name}`;
    const refused = (): Error => new Error(`${name}() of what is no ${name}`);
    environment.registerFunction(`${look}(string): string`, (text: string) => {
      const found = text.length <= longestText ? exact(text) : undefined;
      if (found === undefined) throw refused();
      return found;
    });
    for (const other of others) environment.registerFunction(`${look}(${other}): ${other}`, (value: unknown) => value);
    if (exactNumber !== undefined)
      environment.registerFunction(`${look}(double): double`, (value: number) => {
        if (!exactNumber(value)) throw refused();
        return value;
      });
  }
  return environment;
}

interface Edit {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

/** The source that is evaluated: `int(helo)` as `int(exact_int(helo))`; undefined = as it is written. */
export function exactSource(source: string, root: ASTNode): string | undefined {
  const edits = [...editsIn(root)].toSorted((one, other) => other.at - one.at);
  let text = source;
  for (const edit of edits) text = text.slice(0, edit.at) + edit.text + text.slice(edit.at + edit.length);
  return edits.length === 0 ? undefined : text;
}

function* editsIn(node: ASTNode): Generator<Edit> {
  if (node.op === 'call' && names.has(node.args[0])) {
    const [name] = node.args;
    yield { at: node.range.start, length: name.length, text: `${name}(${prefix}${name}` };
    yield { at: node.range.end, length: 0, text: ')' };
  }
  for (const child of childrenOf(node)) yield* editsIn(child);
}
