/**
 * Durations (milliseconds inside, '30s' outside) and sizes (bytes inside, '50MiB' outside).
 * A bare number is refused except 0: its unit would be a guess.
 */
import type { Located } from './located.js';
import { type NumberLimits, rangeText } from './scalars.js';
import { accepted, type Kind } from './schema.js';

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const byteUnits = { B: 1, KiB: 1024, MiB: 1_048_576, GiB: 1_073_741_824, TiB: 1_099_511_627_776 } as const;
const decimalByteUnits = { kB: 1000, MB: 1_000_000, GB: 1_000_000_000, TB: 1_000_000_000_000 } as const;

type Units = Readonly<Record<string, number>>;

/** '1h30m' and '1.5h' are the same; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, durationUnits);
}

/** '50MiB', '1.5GiB', '25MB'; undefined when it is no size. */
export function parseBytes(text: string): number | undefined {
  return parseQuantity(text, { ...byteUnits, ...decimalByteUnits });
}

export function formatDuration(ms: number): string {
  return formatQuantity(ms, durationUnits, 'ms');
}

export function formatBytes(bytes: number): string {
  return formatQuantity(bytes, byteUnits, 'B');
}

export function durationKind(limits: NumberLimits = {}): Kind<number> {
  const range = rangeText(limits, formatDuration);
  return quantityKind(
    'duration',
    `a duration${range}, such as 500ms, 30s, 5m, 2h or 1d`,
    limits,
    parseDuration,
    formatDuration,
  );
}

export function bytesKind(limits: NumberLimits = {}): Kind<number> {
  const range = rangeText(limits, formatBytes);
  return quantityKind('bytes', `a size${range}, such as 64KiB, 50MiB or 2GiB`, limits, parseBytes, formatBytes);
}

function quantityKind(
  type: string,
  allowed: string,
  limits: NumberLimits,
  parse: (text: string) => number | undefined,
  format: (value: number) => string,
): Kind<number> {
  const read = (at: Located): number | undefined => {
    if (at.kind !== 'scalar') return undefined;
    if (at.value === 0 || at.value === '0') return 0;
    return typeof at.value === 'string' ? parse(at.value) : undefined;
  };
  return {
    type,
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader) => {
      const value = read(at);
      const fits =
        value !== undefined && value >= (limits.min ?? 0) && value <= (limits.max ?? Number.MAX_SAFE_INTEGER);
      return fits ? accepted(value) : reader.refuse(at, path, allowed);
    },
    show: format,
    jsonSchema: () => ({ anyOf: [{ type: 'string', pattern: `^(\\d+(\\.\\d+)?[A-Za-z]+)+$|^0$` }, { const: 0 }] }),
    children: () => [],
  };
}

function parseQuantity(text: string, units: Units): number | undefined {
  if (text.length > 40 || !/^(\d+(\.\d+)?[A-Za-z]+)+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([A-Za-z]+)/g)) {
    const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (factor === undefined) return undefined;
    total += Number(amount) * factor;
  }
  return Math.round(total);
}

function formatQuantity(value: number, units: Units, smallest: string): string {
  if (value === 0) return '0';
  let best = `${value}${smallest}`;
  for (const [unit, factor] of Object.entries(units)) {
    if (unit !== 'w' && value % factor === 0) best = `${value / factor}${unit}`;
  }
  return best;
}
