/**
 * Kinds of one plain value: string, integer, number, boolean, enumeration, file.
 * A number or boolean is taken from text only when it came from the environment or an argument.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { accepted, type JsonSchema, type Kind } from './schema.js';

export interface StringLimits {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: RegExp;
  /** Describes the pattern to people. */
  readonly form?: string;
}

export function stringKind(limits: StringLimits = {}): Kind<string> {
  const { minLength = 0, maxLength = 4096, pattern, form } = limits;
  const allowed =
    form ?? (pattern ? `text matching ${pattern.source}` : `text of ${minLength} to ${maxLength} characters`);
  return {
    type: 'string',
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader, secret) => {
      if (at.kind !== 'scalar' || typeof at.value !== 'string') return reader.refuse(at, path, allowed, secret);
      const { length } = at.value;
      if (length > maxLength && !secret)
        return reader.report(
          at,
          at.place,
          path,
          `text of ${length} characters is not allowed; expected at most ${maxLength}`,
        );
      const fits = length >= minLength && length <= maxLength && (pattern?.test(at.value) ?? true);
      return fits ? accepted(at.value) : reader.refuse(at, path, allowed, secret);
    },
    show: (value) => value,
    jsonSchema: () => ({
      type: 'string',
      ...(minLength > 0 ? { minLength } : {}),
      maxLength,
      ...(pattern ? { pattern: pattern.source } : {}),
    }),
    children: () => [],
  };
}

export interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
}

export function numberKind(type: 'integer' | 'number', limits: NumberLimits = {}): Kind<number> {
  const min = limits.min ?? (type === 'integer' ? Number.MIN_SAFE_INTEGER : -Number.MAX_VALUE);
  const max = limits.max ?? (type === 'integer' ? Number.MAX_SAFE_INTEGER : Number.MAX_VALUE);
  const allowed = `${type === 'integer' ? 'a whole number' : 'a number'}${rangeText(limits)}`;
  return {
    type,
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader) => {
      const value = at.kind === 'scalar' ? (at.textual ? numberFromText(at.value) : at.value) : undefined;
      const fits =
        typeof value === 'number' && value >= min && value <= max && (type === 'number' || Number.isInteger(value));
      return fits ? accepted(value) : reader.refuse(at, path, allowed);
    },
    show: (value) => value,
    jsonSchema: () => ({
      type,
      ...(limits.min === undefined ? {} : { minimum: limits.min }),
      ...(limits.max === undefined ? {} : { maximum: limits.max }),
    }),
    children: () => [],
  };
}

export function rangeText(limits: NumberLimits, show: (value: number) => string = String): string {
  const { min, max } = limits;
  if (min !== undefined && max !== undefined) return ` from ${show(min)} to ${show(max)}`;
  if (min !== undefined) return ` of at least ${show(min)}`;
  if (max !== undefined) return ` of at most ${show(max)}`;
  return '';
}

function numberFromText(text: unknown): number | undefined {
  return typeof text === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

export function booleanKind(): Kind<boolean> {
  const allowed = 'true or false';
  return {
    type: 'boolean',
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader) => {
      if (at.kind === 'scalar' && typeof at.value === 'boolean') return accepted(at.value);
      if (at.kind === 'scalar' && at.textual && at.value === 'true') return accepted(true);
      if (at.kind === 'scalar' && at.textual && at.value === 'false') return accepted(false);
      return reader.refuse(at, path, allowed);
    },
    show: (value) => value,
    jsonSchema: () => ({ type: 'boolean' }),
    children: () => [],
  };
}

export function enumerationKind<const V extends string>(values: readonly V[]): Kind<V> {
  const allowed = values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
  return {
    type: 'enumeration',
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader) => {
      const found = at.kind === 'scalar' ? values.find((value) => value === at.value) : undefined;
      return found === undefined ? reader.refuse(at, path, allowed) : accepted(found);
    },
    show: (value) => value,
    jsonSchema: (): JsonSchema => ({ enum: [...values] }),
    children: () => [],
  };
}

/** A path, of a secret as a rule. Relative paths are taken from the folder of the file that names them. */
export function fileKind(): Kind<string> {
  const allowed = 'the path of a file';
  return {
    type: 'file',
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader) => {
      if (at.kind !== 'scalar' || typeof at.value !== 'string' || at.value === '' || at.value.includes('\0')) {
        return reader.refuse(at, path, allowed);
      }
      if (isAbsolute(at.value) || at.textual) return accepted(resolve(at.value));
      return accepted(resolve(dirname(at.place.replace(/:\d+$/, '')), at.value));
    },
    show: (value) => value,
    jsonSchema: () => ({ type: 'string', minLength: 1 }),
    children: () => [],
  };
}
