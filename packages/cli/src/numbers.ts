/** Numbers and durations given as options. */

import { parseBytes, parseDuration, parseEndDate } from '@postern/config';
import { InvalidArgumentError } from 'commander';

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

export function byteCount(text: string): number {
  const value = parseBytes(text);
  if (value === undefined) throw new InvalidArgumentError('Expected a size such as 64KiB, 50MiB or 2GiB.');
  return value;
}

/** Milliseconds. */
export function duration(text: string): number {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError('Expected a duration such as 30s, 5m, 2h or 1d.');
  return value;
}

/** Milliseconds since 1970; 0 = never. */
export function endDate(text: string): number {
  const value = parseEndDate(text);
  if (value === undefined) {
    throw new InvalidArgumentError('Expected never, a day such as 2027-01-31 or a time such as 2027-01-31T18:00:00Z.');
  }
  return value;
}

export const repeated = (value: string, before: string[] = []): string[] => [...before, value];
