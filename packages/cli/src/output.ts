/**
 * What commands print: tables for people, `--json` for programs. Control characters of values are shown, not sent to the terminal:
 * addresses and replies come from strangers.
 */
export interface Column<R> {
  readonly title: string;
  readonly value: (row: R) => string | number | boolean;
  /** Numbers stand right. */
  readonly right?: boolean;
}

export interface Output {
  readonly json: boolean;
  line(text: string): void;
  /** As text for people, or the value itself. */
  show(value: unknown, text: () => string): void;
}

export function createOutput(json: boolean, write: (text: string) => void): Output {
  const line = (text: string): void => write(`${text}\n`);
  return {
    json,
    line,
    show: (value, text) => line(json ? JSON.stringify(value, null, 2) : text()),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that must not reach a terminal
const unsafe = /[\u0000-\u001f\u007f-\u009f]/g;

export function printable(text: string): string {
  return text.replace(unsafe, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function table<R>(rows: readonly R[], columns: readonly Column<R>[], none: string): string {
  if (rows.length === 0) return none;
  const cells = rows.map((row) => columns.map((column) => printable(String(column.value(row)))));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const layOut = (line: readonly string[]): string =>
    columns
      .map((column, index) => {
        const text = line[index] ?? '';
        const width = widths[index] ?? 0;
        return column.right === true ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [layOut(columns.map((column) => column.title)), ...cells.map(layOut)].join('\n');
}

/** Name and value, one a line. */
export function facts(pairs: readonly (readonly [string, string | number | boolean])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`.trimEnd()).join('\n');
}

export const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

/** UTC, and says so. */
export function time(ms: number): string {
  return ms === 0 ? '-' : new Date(ms).toISOString().replace('T', ' ');
}

const units: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** Two units at most: `1d 4h`, `1h`, `12s`. */
export function age(ms: number): string {
  let left = Math.max(0, ms);
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    const isSecond = parts.length > 0;
    if (count > 0) parts.push(`${count}${unit}`);
    left -= count * size;
    if (isSecond) break;
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}

export function bytes(count: number): string {
  let value = count;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024 || unit === 'GiB') return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${count} B`;
}
