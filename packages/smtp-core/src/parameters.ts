/**
 * The parameter list behind a path: `SP keyword[=value]`, RFC 5321 §4.1.2 (esmtp-param).
 * Splits only; meaning is in mail-command.ts and rcpt-command.ts. Several spaces and trailing space are taken
 * (RFC 5321 §4.1.1), everything else is by the grammar. Bounded: no command has more than 32 parameters.
 */

export interface Parameter {
  /** Upper case. */
  readonly name: string;
  readonly value: string | null;
}

const PARAMETER = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u00a0-\u{10ffff}]+))?$/u;
const MAX_PARAMETERS = 32;

/** Null where the text is not a parameter list. */
export function splitParameters(text: string): readonly Parameter[] | null {
  if (text.length === 0) return [];
  if (!text.startsWith(' ')) return null;
  const parameters: Parameter[] = [];
  for (const word of text.split(' ', 4 * MAX_PARAMETERS)) {
    if (word.length === 0) continue;
    const match = PARAMETER.exec(word);
    const name = match?.[1];
    if (name === undefined || parameters.length === MAX_PARAMETERS) return null;
    parameters.push({ name: name.toUpperCase(), value: match?.[2] ?? null });
  }
  return parameters;
}

/** The name of a parameter that stands twice, or null. */
export function repeatedParameter(parameters: readonly Parameter[]): string | null {
  const seen = new Set<string>();
  for (const { name } of parameters) {
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return null;
}
