/**
 * Every value that some mail program reads a parameter as, where a field can be read in more than one way: names given twice, the plain and the extended
 * form of RFC 2231, sections in another order, comments, escapes and quotes taken or not, encoded words in any of them. For rules that must not
 * be got round; parameterized.ts has the one value that is right. Linear, bounded.
 */
import { decodeHeaderText } from './encoded-word.js';
import { decodeLooseWords } from './loose-words.js';
import { joinSections, percentDecode } from './parameter-sections.js';
import { parseParameterized } from './parameterized.js';

const mostParts = 200;
const longestField = 8_192;
const longestName = 100;

interface Manner {
  readonly quotes: boolean;
  readonly escapes: boolean;
  readonly comments: boolean;
}

interface Written {
  readonly base: string;
  /** Behind the first star; undefined = a plain parameter. */
  readonly suffix: string | undefined;
  /** One text, or two where programs end it at different places. */
  readonly values: readonly string[];
}

export interface Readings {
  /** Lower case, without white space. */
  readonly value: string;
  /** Of one of these names, each once, in no order that means anything. */
  readonly values: readonly string[];
  /** Longer, or with more parameters, than is read. */
  readonly isCut: boolean;
}

const withoutSpace = (head: string): string => head.replace(/\s/g, '').toLowerCase().slice(0, longestName);

/** The ways in which this text can be cut at all: one, for nearly every field. */
function manners(text: string): readonly Manner[] {
  const strict: Manner = { quotes: true, escapes: true, comments: true };
  const all: Manner[] = [strict];
  const hasComments = text.includes('(');
  const hasEscapes = text.includes('\\');
  const quotes = text.includes('"');
  if (hasComments) all.push({ ...strict, comments: false });
  if (hasEscapes && quotes) all.push({ ...strict, escapes: false });
  if (quotes && (hasEscapes || hasComments || text.split('"').length % 2 === 0))
    all.push({ quotes: false, escapes: false, comments: false });
  return all;
}

/** The pieces between semicolons, as written but for comments. */
function pieces(text: string, { quotes, escapes, comments }: Manner): readonly string[] {
  const found: string[] = [];
  let piece = '';
  let quoted = false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (escapes && character === '\\' && (quoted || depth > 0)) {
      if (depth === 0) piece += text.slice(at, at + 2);
      at += 1;
    } else if (depth > 0) {
      if (character === '(') depth += 1;
      else if (character === ')') depth -= 1;
    } else if (comments && !quoted && character === '(') {
      depth += 1;
    } else if (!quoted && character === ';') {
      found.push(piece);
      if (found.length > mostParts) return found;
      piece = '';
    } else {
      if (quotes && character === '"') quoted = !quoted;
      piece += character;
    }
  }
  found.push(piece);
  return found;
}

/** Quotes off wherever they are, and what stands before the closing quote or the first white space. */
function texts(written: string, { escapes }: Manner): readonly string[] {
  const text = written.trim();
  const bare = (part: string): string => (escapes ? part.replace(/\\([\s\S])|"/g, '$1') : part.replaceAll('"', ''));
  const token = text.startsWith('"') ? /^"(?:\\[\s\S]|[^"\\])*/.exec(text)?.[0] : /^[^\s"]*/.exec(text)?.[0];
  const whole = bare(text);
  const first = bare(token ?? '');
  return first === whole || first === '' ? [whole] : [whole, first];
}

function parameterOf(piece: string, manner: Manner): Written | undefined {
  const equals = piece.indexOf('=');
  if (equals === -1) return undefined;
  const name = piece.slice(0, equals).replace(/["\s]/g, '').toLowerCase();
  const star = name.indexOf('*');
  return {
    base: star === -1 ? name : name.slice(0, star),
    suffix: star === -1 ? undefined : name.slice(star + 1),
    values: texts(piece.slice(equals + 1), manner),
  };
}

/** All of it percent-encoded, in the charset named in front. */
const decoded = (text: string): string => joinSections(new Map([['*', text]]));

/** What the sections of one name come to, the first or the last of two equal ones taken, or those alone that are not percent-encoded. */
function joined(sections: readonly Written[]): readonly string[] {
  const found: string[] = [];
  const plain = sections.filter(({ suffix = '' }) => /^\d+$/.test(suffix));
  const both = [sections, sections.toReversed()];
  for (const taken of sections.some(({ suffix }) => suffix === '0*') && plain.some(({ suffix }) => suffix === '0')
    ? [...both, plain]
    : both) {
    const byPlace = new Map<string, string>();
    for (const { suffix = '', values } of taken) {
      // `filename*` alone, and numbers with zeros before them, are taken too.
      const place = suffix === '' ? '*' : suffix.replace(/^0+(?=\d)/, '');
      if (!byPlace.has(place)) byPlace.set(place, values[0] ?? '');
    }
    found.push(joinSections(byPlace));
    const inOrder = [...byPlace].toSorted(([a], [b]) => (Number.parseInt(a, 10) || 0) - (Number.parseInt(b, 10) || 0));
    found.push(decoded(inOrder.map(([, value]) => value).join('')));
  }
  found.push(decoded(sections.map(({ values }) => values[0] ?? '').join('')));
  for (const { suffix, values } of sections) if (suffix === '') found.push(...values.map(decoded));
  return found;
}

/** A text as it is shown: encoded words and percent signs read, and what a file system leaves away. */
function* shown(text: string): Iterable<string> {
  const plain = decodeHeaderText(text);
  yield plain;
  if (text.includes('=?')) yield decodeLooseWords(text);
  if (/%[0-9a-f]{2}/i.test(plain)) yield percentDecode(plain.replace(/^[\w-]{1,40}'[^']{0,20}'/, '')).toString();
}

/** An end of dots, spaces and controls, and what follows NUL, is not part of a file's name on disk. */
function onDisk(name: string): string {
  const [text = ''] = name.split('\0', 1);
  let end = text.length;
  while (end > 0 && (text.charAt(end - 1) <= ' ' || text.charAt(end - 1) === '.')) end -= 1;
  return text.slice(0, end);
}

/** `isName`: a text for people; else the value is what stands there (boundaries). */
export function parameterReadings(written: string, names: ReadonlySet<string>, isName = true): Readings {
  const text = written.slice(0, longestField);
  const lower = text.toLowerCase();
  if (![...names].some((name) => lower.includes(name)))
    return { value: withoutSpace(parseParameterized(text).value), values: [], isCut: text.length < written.length };
  const found = new Set<string>();
  let value = '';
  let isCut = text.length < written.length;
  for (const [turn, manner] of manners(text).entries()) {
    const [head = '', ...rest] = pieces(text, manner);
    if (turn === 0) value = withoutSpace(head);
    isCut ||= rest.length >= mostParts;
    const written = rest.map((piece) => parameterOf(piece, manner)).filter((one) => one !== undefined);
    for (const name of names) {
      const own = written.filter(({ base }) => base === name);
      const plain = own.filter(({ suffix }) => suffix === undefined).flatMap(({ values }) => values);
      const sections = own.filter(({ suffix }) => suffix !== undefined);
      for (const one of sections.length === 0 ? plain : [...plain, ...joined(sections)])
        for (const name of isName ? shown(one) : [one]) found.add(name);
    }
  }
  if (isName) for (const name of [...found]) found.add(onDisk(name));
  found.delete('');
  return { value, values: [...found], isCut };
}
