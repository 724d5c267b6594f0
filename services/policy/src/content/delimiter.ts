/** Which of the open multiparts a line that begins with two dashes parts or ends, RFC 2046 §5.1.1. Linear in the line, white space at its end included. */
import type { Part } from './looked-at.js';

/** An open multipart. */
export type Level = Pick<Part, 'boundaries' | 'isDigest'>;

export interface Delimiter {
  readonly level: number;
  /** Another part begins. */
  readonly isOpen: boolean;
}

const isBlank = (octet: number | undefined): boolean =>
  octet === 0x20 || octet === 0x09 || octet === 0x0d || octet === 0x0a;

export function readDelimiter(line: Buffer, levels: readonly Level[]): Delimiter | undefined {
  if (levels.length === 0) return undefined;
  let length = line.length;
  while (length > 2 && isBlank(line[length - 1])) length -= 1;
  const text = line.toString('utf8', 2, length);
  const levelOf = (boundary: string) => levels.findLastIndex(({ boundaries }) => boundaries.includes(boundary));
  const begins = levelOf(text);
  const ends = text.endsWith('--') ? levelOf(text.slice(0, -2)) : -1;
  const level = Math.max(begins, ends);
  return level === -1 ? undefined : { level, isOpen: level === begins };
}
