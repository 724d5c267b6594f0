/**
 * Reads the fields of one plain object that a user wrote, collecting what is wrong instead of stopping at the first.
 * Unknown fields are errors. Text that may end up in a reply or a header never holds a control character, so nothing
 * written in a rule can start a new line on the wire.
 */
import { isIP } from 'node:net';
import { bytesOf } from './byte-size.js';
import { nearest } from './problem.js';

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;
const HEADER_NAME = /^[!-9;-~]{1,76}$/;
const HOST = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?$/i;
const ADDRESS = /^[^\s@<>"(),:;\\[\]]{1,64}@(?=.{1,253}$)[^\s@<>"(),:;\\[\]]+$/;
/** Written by us alone: a rule may neither forge nor remove them. */
const OWN_HEADERS = /^(received|return-path|received-spf|authentication-results|arc-.*|x-postern-.*)$/i;

export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export class Fields {
  readonly problems: FieldProblem[] = [];
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  value(field: string): unknown {
    this.#read.add(field);
    return Object.hasOwn(this.#values, field) ? this.#values[field] : undefined;
  }

  has(field: string): boolean {
    this.#read.add(field);
    return Object.hasOwn(this.#values, field);
  }

  fail(field: string, message: string, hint: string): void {
    this.problems.push({ field, message, hint });
  }

  text(field: string, fallback?: string, limit = 400): string {
    const value = this.value(field);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'string' && value !== '' && value.length <= limit && !CONTROL.test(value)) return value;
    this.fail(field, 'must be a text without line breaks', `1 to ${limit} characters`);
    return '';
  }

  integer(field: string, [least, most]: readonly [number, number], fallback?: number): number {
    const value = this.value(field);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    this.fail(field, 'is not allowed', `a whole number, ${least} to ${most}`);
    return least;
  }

  optionalInteger(field: string, range: readonly [number, number]): number | undefined {
    return this.value(field) === undefined ? undefined : this.integer(field, range);
  }

  /** A number of bytes, or a size as configuration takes it: `10MiB`. */
  optionalBytes(field: string, most: number): number | undefined {
    const value = this.value(field);
    if (value === undefined) return undefined;
    const bytes = typeof value === 'string' ? bytesOf(value) : value;
    if (typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 0 && bytes <= most) return bytes;
    this.fail(field, 'is not allowed', 'a size from 0 to 1TiB, such as 64KiB or 10MiB, or a number of bytes');
    return undefined;
  }

  oneOf<Choice extends string>(field: string, choices: readonly [Choice, ...Choice[]], fallback?: Choice): Choice {
    const value = this.value(field);
    if (value === undefined && fallback !== undefined) return fallback;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) {
      const near = typeof value === 'string' ? nearest(value, choices) : undefined;
      const all = choices.join(', ');
      this.fail(field, 'is not one of the choices', near === undefined ? all : `did you mean ${near}? allowed: ${all}`);
    }
    return chosen ?? choices[0];
  }

  someOf<Choice extends string>(field: string, choices: readonly Choice[]): readonly Choice[] {
    const value = this.value(field) ?? [];
    const list = Array.isArray(value) ? value : [value];
    const chosen = list.map((item) => choices.find((choice) => choice === item));
    if (chosen.some((choice) => choice === undefined)) this.fail(field, 'holds something else', choices.join(', '));
    return chosen.filter((choice) => choice !== undefined);
  }

  flag(field: string, fallback: boolean): boolean {
    const value = this.value(field) ?? fallback;
    if (typeof value !== 'boolean') this.fail(field, 'must be true or false', 'write true or false without quotes');
    return value === true;
  }

  headerName(field: string): string {
    const name = this.text(field, undefined, 76);
    if (name !== '' && !HEADER_NAME.test(name)) this.fail(field, 'is not a header field name', 'for example X-Spam');
    if (OWN_HEADERS.test(name)) this.fail(field, `${name} is written by the gateway alone`, 'choose another name');
    return name;
  }

  address(field: string, allowEmpty = false): string {
    const value = this.value(field);
    if (value === '' && allowEmpty) return '';
    if (typeof value === 'string' && ADDRESS.test(value) && !CONTROL.test(value)) return value;
    this.fail(field, 'must be an address', allowEmpty ? 'user@domain, or "" for the null sender' : 'user@domain');
    return '';
  }

  host(field: string): string {
    const host = this.text(field, undefined, 255);
    if (host !== '' && isIP(host) === 0 && !HOST.test(host)) this.fail(field, 'is not a host', 'a name or an address');
    return host;
  }

  ip(field: string): string | undefined {
    const value = this.value(field);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && isIP(value) !== 0) return value;
    this.fail(field, 'must be an IP address', 'for example 192.0.2.7');
    return undefined;
  }

  integers(field: string, [least, most]: readonly [number, number], limit: number): readonly number[] {
    const value = this.value(field);
    const fits = (item: unknown): item is number =>
      typeof item === 'number' && Number.isInteger(item) && item >= least && item <= most;
    if (Array.isArray(value) && value.length > 0 && value.length <= limit && value.every(fits)) return value;
    this.fail(field, 'must be a list of whole numbers', `1 to ${limit} numbers, each ${least} to ${most}`);
    return [];
  }

  /** Call last: what was written but never read is a mistake. */
  done(): void {
    const known = [...this.#read];
    for (const field of Object.keys(this.#values)) {
      if (this.#read.has(field)) continue;
      const near = nearest(field, known);
      const guess = near === undefined ? '' : `did you mean ${near}? `;
      this.fail(field, 'is no field here', `${guess}known: ${known.join(', ') || 'no fields'}`);
    }
  }
}
