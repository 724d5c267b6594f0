/**
 * SPF macro strings: parsed once, expanded with the facts of one session. RFC 7208 §7.
 * The grammar differs by place: a domain-spec has no %{c} %{r} %{t}, an explanation has them and may hold spaces.
 */
export type MacroLetter = 's' | 'l' | 'o' | 'd' | 'i' | 'p' | 'v' | 'h' | 'c' | 'r' | 't';

export interface MacroExpand {
  readonly letter: MacroLetter;
  readonly keep: number | undefined;
  readonly reverse: boolean;
  readonly delimiters: string;
  readonly urlEscape: boolean;
}

export type MacroString = readonly (string | MacroExpand)[];

export type MacroPlace = 'domain' | 'explanation' | 'modifier';

const MACRO = /^%\{([slodipvhcrt])(\d*)(r?)([.\-+,/_=]*)\}/i;

/** Undefined: a syntax error. */
export function parseMacroString(text: string, place: MacroPlace): MacroString | undefined {
  const parts: (string | MacroExpand)[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const char = text.charAt(at);
    if (char !== '%') {
      const code = char.charCodeAt(0);
      if (code > 0x7e || code < 0x20 || (code === 0x20 && place !== 'explanation')) return undefined;
      literal += char;
      at++;
      continue;
    }
    const escaped = escapes.get(text.charAt(at + 1));
    if (escaped !== undefined) {
      literal += escaped;
      at += 2;
      continue;
    }
    const match = MACRO.exec(text.slice(at, at + 64));
    const letter = letterOf(match?.[1]);
    if (match === null || letter === undefined) return undefined;
    if (place === 'domain' && (letter === 'c' || letter === 'r' || letter === 't')) return undefined;
    const digits = match[2] ?? '';
    if (digits !== '' && Number(digits) === 0) return undefined;
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push({
      letter,
      keep: digits === '' ? undefined : Number(digits),
      reverse: match[3] !== '',
      delimiters: match[4] === undefined || match[4] === '' ? '.' : match[4],
      urlEscape: match[1] !== letter,
    });
    at += match[0].length;
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

/** domain-spec = macro-string domain-end: it ends with a macro or with a top label. */
export function parseDomainSpec(text: string): MacroString | undefined {
  const spec = parseMacroString(text, 'domain');
  const last = spec?.at(-1);
  if (spec === undefined || last === undefined) return undefined;
  if (typeof last !== 'string') return spec;
  // An escape such as %% at the end is no domain-end; only text as written counts.
  return endsInTopLabel(text) ? spec : undefined;
}

/** A dot, then letters, digits and inner hyphens, not digits alone; one more dot may follow. */
function endsInTopLabel(text: string): boolean {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  const label = bare.slice(bare.lastIndexOf('.') + 1);
  if (label === bare || label === '' || !/^[a-z0-9-]+$/i.test(label)) return false;
  return !label.startsWith('-') && !label.endsWith('-') && !/^\d+$/.test(label);
}

const escapes = new Map([
  ['%', '%'],
  ['_', ' '],
  ['-', '%20'],
]);

const letters: readonly MacroLetter[] = ['s', 'l', 'o', 'd', 'i', 'p', 'v', 'h', 'c', 'r', 't'];

function letterOf(char: string | undefined): MacroLetter | undefined {
  const lower = char?.toLowerCase();
  return letters.find((letter) => letter === lower);
}

export function usesMacro(spec: MacroString, wanted: MacroLetter): boolean {
  return spec.some((part) => typeof part !== 'string' && part.letter === wanted);
}

export function expandMacros(spec: MacroString, expand: (letter: MacroLetter) => string): string {
  let text = '';
  for (const part of spec) text += typeof part === 'string' ? part : expandOne(part, expand(part.letter));
  return text;
}

function expandOne({ keep, reverse, delimiters, urlEscape }: MacroExpand, value: string): string {
  let text = value;
  if (keep !== undefined || reverse || delimiters !== '.') {
    let parts: string[] = [];
    let begin = 0;
    for (let i = 0; i <= value.length; i++) {
      if (i < value.length && !delimiters.includes(value.charAt(i))) continue;
      parts.push(value.slice(begin, i));
      begin = i + 1;
    }
    if (reverse) parts.reverse();
    if (keep !== undefined && keep < parts.length) parts = parts.slice(-keep);
    text = parts.join('.');
  }
  return urlEscape ? escapeUrl(text) : text;
}

/** Everything but the unreserved characters of RFC 3986 §2.3. */
function escapeUrl(text: string): string {
  let escaped = '';
  for (const octet of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(octet);
    escaped += /[A-Za-z0-9\-._~]/.test(char) ? char : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}

/** RFC 7208 §7.3: labels are taken from the left until 253 characters remain. */
export function fitDomain(domain: string): string {
  let fitted = domain.endsWith('.') ? domain.slice(0, -1) : domain;
  while (fitted.length > 253) {
    const dot = fitted.indexOf('.');
    if (dot === -1) return fitted;
    fitted = fitted.slice(dot + 1);
  }
  return fitted;
}
