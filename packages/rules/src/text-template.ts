/**
 * Texts of actions with facts in them: `listed at ${dnsbl.zones}`. Which facts is checked when the rule is saved, as of a condition. What is filled in
 * comes from strangers: it is one line without control characters, a bounded part of the text, and the whole is no longer than the text may be. `$${`
 * stands for `${`; any other `$` for itself.
 */
import { type Complaint, type ExpressionScope, factUnknownAt, knownNames } from './expression-walk.js';
import { factEntry } from './fact-table.js';
import { nearest } from './problem.js';

type Part = string | { readonly fact: string };

export interface TextTemplate {
  readonly facts: readonly string[];
  /** `context` as conditions read it. */
  readonly fill: (context: object) => string;
}

export interface ReadText {
  /** Undefined = nothing to fill in, and nothing to put right. */
  readonly template: TextTemplate | undefined;
  readonly complaints: readonly Complaint[];
}

/** Of one fact. */
const VALUE_LIMIT = 200;
const PLACEHOLDER_LIMIT = 10;
const sign = /\$\$\{|\$\{([^{}]*)(\}?)/g;

export function readText(text: string, scope: ExpressionScope, limit: number): ReadText {
  if (!text.includes('${')) return { template: undefined, complaints: [] };
  const parts: Part[] = [];
  const complaints: Complaint[] = [];
  let end = 0;
  for (const found of text.matchAll(sign)) {
    const [written, inside, closing] = found;
    parts.push(text.slice(end, found.index));
    end = found.index + written.length;
    if (inside === undefined) parts.push('${');
    else {
      const complaint = mistakeIn(inside.trim(), closing === '}', scope);
      if (complaint !== undefined) complaints.push({ offset: found.index, ...complaint });
      // Of a rule saved before texts were filled in, it stands as it is written.
      parts.push(complaint === undefined ? { fact: inside.trim() } : written);
    }
  }
  parts.push(text.slice(end));
  const facts = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.fact]));
  if (facts.length > PLACEHOLDER_LIMIT)
    complaints.push({ offset: 0, message: 'has too many facts in it', hint: `at most ${PLACEHOLDER_LIMIT}` });
  return { template: { facts, fill: (context) => filled(parts, context, limit) }, complaints };
}

/** What the operator calls its hops and mail; a text goes to strangers. */
const operatorsOwn: ReadonlySet<string> = new Set(['message.tags', 'route.host', 'route.name']);

function mistakeIn(name: string, isClosed: boolean, scope: ExpressionScope): Omit<Complaint, 'offset'> | undefined {
  const literally = 'write $${ for these characters themselves';
  if (!isClosed)
    return { message: 'a fact in the text does not end', hint: `write } behind its name, or ${literally}` };
  if (scope.isTenant === true && operatorsOwn.has(name))
    return { message: `${name} is the operator's and stands in no text of a tenant`, hint: 'say it in your own words' };
  if (factEntry(name) !== undefined) return factUnknownAt(name, scope);
  const near = nearest(name, knownNames());
  const meant = near === undefined || factEntry(near) === undefined ? '' : `did you mean \${${near}}? `;
  return {
    message: `${name === '' ? 'nothing' : name} is no fact that can stand in a text`,
    hint: `${meant}${literally}`,
  };
}

function filled(parts: readonly Part[], context: object, limit: number): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : shown(valueAt(part.fact, context));
  return cut(text, limit);
}

function valueAt(name: string, context: object): unknown {
  const [group = '', field] = name.split('.');
  const value: unknown = Reflect.get(context, group);
  return field === undefined || typeof value !== 'object' || value === null ? value : Reflect.get(value, field);
}

function shown(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return cleaned(value.slice(0, VALUE_LIMIT).join(', '));
  return typeof value === 'string' ? cleaned(value) : String(value);
}

const controls = /[\p{Cc}\u2028\u2029]+/gu;

const cleaned = (text: string): string =>
  cut(
    text
      .slice(0, 2 * VALUE_LIMIT)
      .replace(controls, ' ')
      .toWellFormed(),
    VALUE_LIMIT,
  );

/** Never in the middle of a character. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return text.slice(0, limit).replace(/[\ud800-\udbff]$/, '');
}
