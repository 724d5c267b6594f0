/**
 * Ordered edits of a header section. What no edit names keeps its exact bytes, so signatures over it stay whole.
 * Edits are applied one after the other; an index counts occurrences as they stand at that moment, from 1.
 * A name or value that could begin another field is a programming fault here: borders call checkHeaderEdit first.
 */
import { type HeaderField, readHeaderSection } from './header-section.js';
import { withWordsBefore, withWordsBehind } from './header-words.js';

export type HeaderEdit =
  /** Before all fields, or behind the first `index` ones (milter insertion). */
  | { readonly op: 'prepend'; readonly name: string; readonly value: string; readonly index?: number }
  | { readonly op: 'append'; readonly name: string; readonly value: string }
  | { readonly op: 'addIfAbsent'; readonly name: string; readonly value: string }
  /** `index` 0 = every occurrence; nothing happens where there is none. */
  | { readonly op: 'change'; readonly name: string; readonly value: string; readonly index: number }
  /** Words before and behind the value of every occurrence (header-words.ts). */
  | { readonly op: 'surround'; readonly name: string; readonly before: string; readonly behind: string }
  | { readonly op: 'remove'; readonly name: string; readonly index: number };

export type HeaderEditProblem = 'name' | 'lineBreak' | 'control' | 'tooLong' | 'index';

const MAX_VALUE_BYTES = 65_536;
const FOLD_AT = 78;
/** RFC 5322 §2.1.1: 998 without the CRLF. */
const LINE_MAX = 998;
const NAME = /^[!-9;-~]{1,76}$/;

function checkValue(value: string): HeaderEditProblem | null {
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) return 'tooLong';
  const unfolded = value.replace(/\r?\n(?=[ \t]+[^ \t\r\n])/g, '');
  if (/[\r\n]/.test(unfolded)) return 'lineBreak';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is the check for control characters
  return /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(unfolded) || !value.isWellFormed() ? 'control' : null;
}

/** Why the edit must not be applied, or null. Folds inside a value (line end, then space) are fine. */
export function checkHeaderEdit(edit: HeaderEdit): HeaderEditProblem | null {
  if (!NAME.test(edit.name)) return 'name';
  const index = 'index' in edit ? (edit.index ?? 0) : 0;
  if (!Number.isInteger(index) || index < 0) return 'index';
  if (edit.op === 'surround') return checkValue(edit.before) ?? checkValue(edit.behind);
  return edit.op === 'remove' ? null : checkValue(edit.value);
}

/** Breaks one long word where no space lets us: counted in octets, never inside a character. */
function breakWord(word: string, room: number): readonly string[] {
  if (Buffer.byteLength(word) <= room) return [word];
  const pieces: string[] = [];
  let piece = '';
  let octets = 0;
  for (const character of word) {
    const size = Buffer.byteLength(character);
    if (octets + size > room) {
      pieces.push(piece);
      piece = '';
      octets = 0;
    }
    piece += character;
    octets += size;
  }
  pieces.push(piece);
  return pieces;
}

/** The words of a line packed into lines of at most 78 octets where spaces allow it, of 998 in any case. */
function foldLine(line: string): string {
  if (Buffer.byteLength(line) <= FOLD_AT) return line;
  let out = '';
  let octets = 0;
  for (const [index, word] of line.split(/(?=(?<=[^ \t])[ \t])/).entries()) {
    const size = Buffer.byteLength(word);
    // The first word holds the name: a fold right behind it would make a first line some readers take for empty.
    if (index > 1 && octets + size > FOLD_AT && word.trim() !== '') {
      out += '\r\n';
      octets = 0;
    }
    if (octets + size <= LINE_MAX) {
      out += word;
      octets += size;
      continue;
    }
    for (const [part, piece] of breakWord(word, LINE_MAX - 1 - octets).entries()) {
      out += part === 0 ? piece : `\r\n ${piece}`;
      octets = Buffer.byteLength(piece) + 1;
    }
  }
  return out;
}

/** `Name: value` with CRLF. A value that is folded already keeps its folds. Throws on what checkHeaderEdit refuses. */
export function formatHeaderField(name: string, value: string): Buffer {
  const problem = NAME.test(name) ? checkValue(value) : 'name';
  if (problem !== null) throw new TypeError(`header field refused: ${problem}`);
  const text = /^[ \t\r\n]/.test(value) ? `${name}:${value}` : `${name}: ${value}`;
  return Buffer.from(`${text.split(/\r?\n/).map(foldLine).join('\r\n')}\r\n`, 'utf8');
}

/** The name as it was written; lines that became too long are folded anew. */
function surrounded({ key, raw }: Piece, before: string, behind: string): Piece {
  const text = raw.toString('latin1').replace(/\r?\n$/, '');
  const start = text.indexOf(':') + 1;
  const value = text.slice(start);
  const [space = ''] = /^[ \t]*/.exec(value) ?? [];
  const old = value.slice(space.length);
  const made = withWordsBehind(withWordsBefore(old, before), behind);
  if (made === old) return { key, raw };
  const lines = `${text.slice(0, start)}${space === '' ? ' ' : space}${made}`.split(/\r?\n/).map(foldLine);
  return { key, raw: Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1') };
}

interface Piece {
  readonly key: string;
  readonly raw: Buffer;
}

function keepBytes(field: HeaderField): Piece {
  return field;
}

function hit(piece: Piece, key: string, index: number, seen: number): boolean {
  return piece.key === key && (index === 0 || seen === index);
}

/** Replaces or drops the chosen occurrences. */
function rewrite(pieces: readonly Piece[], key: string, index: number, replacement: Piece | null): Piece[] {
  let seen = 0;
  const kept: Piece[] = [];
  for (const piece of pieces) {
    if (piece.key === key) seen += 1;
    if (!hit(piece, key, index, seen)) kept.push(piece);
    else if (replacement !== null) kept.push(replacement);
  }
  return kept;
}

function applyOne(pieces: Piece[], edit: HeaderEdit): Piece[] {
  const key = edit.name.toLowerCase();
  if (edit.op === 'remove') return rewrite(pieces, key, edit.index, null);
  if (edit.op === 'surround') {
    const { before, behind } = edit;
    const problem = checkHeaderEdit(edit);
    if (problem !== null) throw new TypeError(`header field refused: ${problem}`);
    return pieces.map((piece) => (piece.key === key ? surrounded(piece, before, behind) : piece));
  }
  if (edit.op === 'addIfAbsent' && pieces.some((piece) => piece.key === key)) return pieces;
  const piece = { key, raw: formatHeaderField(edit.name, edit.value) };
  switch (edit.op) {
    case 'change':
      return rewrite(pieces, key, edit.index, piece);
    case 'prepend':
      pieces.splice(edit.index ?? 0, 0, piece);
      return pieces;
    case 'append':
    case 'addIfAbsent':
      pieces.push(piece);
      return pieces;
  }
}

/**
 * The header section (its empty line included where it is there) after all edits. The caller has bounded its size;
 * bytes behind the empty line are kept as they are.
 */
export function applyHeaderEdits(headerSection: Buffer, edits: readonly HeaderEdit[]): Buffer {
  if (edits.length === 0) return headerSection;
  const whole = { maxBytes: Number.MAX_SAFE_INTEGER, maxFields: Number.MAX_SAFE_INTEGER };
  const { fields, bodyOffset, end } = readHeaderSection(headerSection, whole);
  let pieces: Piece[] = fields.map(keepBytes);
  const last = pieces.at(-1);
  if (end === 'open' && last !== undefined && last.raw[last.raw.length - 1] !== 0x0a) {
    pieces[pieces.length - 1] = { key: last.key, raw: Buffer.concat([last.raw, Buffer.from('\r\n')]) };
  }
  for (const edit of edits) pieces = applyOne(pieces, edit);
  const emptyLine = end === 'whole' ? (headerSection[bodyOffset - 2] === 0x0d ? 2 : 1) : 0;
  return Buffer.concat([...pieces.map((piece) => piece.raw), headerSection.subarray(bodyOffset - emptyLine)]);
}
