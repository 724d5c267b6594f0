/**
 * Session and queue ids: ULIDs, 48 bits of time and 80 random bits in 26 Crockford characters, sorting by creation.
 * Within one millisecond the random part is counted up, so ids of one source strictly increase, also when the wall
 * clock goes back. The upper 22 characters are kept as one string; only the last 4 change from id to id.
 */
import type { Clock } from './clock.js';
import type { Random } from './random.js';

export type UlidSource = () => string;

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const partLimit = 1 << 20;
// Each 20 bit part of the random half is 4 characters: two look-ups in a table of pairs.
const pairs: readonly string[] = Array.from({ length: 1024 }, (_, i) => digit(i >>> 5) + digit(i & 31));
const pattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const bytesPerId = 10;
const poolIds = 128;

export function createUlidSource(clock: Clock, random: Random): UlidSource {
  let pool: Buffer = Buffer.alloc(0);
  let used = 0;
  let lastMs = -1;
  let prefix = '';
  let parts: [number, number, number, number] = [0, 0, 0, 0];

  const rebuildPrefix = (): void => {
    prefix = timeText(lastMs) + partText(parts[0]) + partText(parts[1]) + partText(parts[2]);
  };

  const startMillisecond = (ms: number): void => {
    if (used + bytesPerId > pool.length) {
      pool = random.bytes(bytesPerId * poolIds);
      used = 0;
    }
    parts = [
      pool.readUIntBE(used, 3) >>> 4,
      pool.readUIntBE(used + 2, 3) & 0xfffff,
      pool.readUIntBE(used + 5, 3) >>> 4,
      pool.readUIntBE(used + 7, 3) & 0xfffff,
    ];
    used += bytesPerId;
    lastMs = ms;
    rebuildPrefix();
  };

  const carry = (): void => {
    parts[3] = 0;
    for (const place of [2, 1, 0] as const) {
      parts[place] += 1;
      if (parts[place] < partLimit) {
        rebuildPrefix();
        return;
      }
      parts[place] = 0;
    }
    // All 80 bits were ones: borrow the next millisecond rather than repeat.
    startMillisecond(lastMs + 1);
  };

  return () => {
    const ms = clock.now();
    if (ms > lastMs) startMillisecond(ms);
    else if (++parts[3] >= partLimit) carry();
    return prefix + partText(parts[3]);
  };
}

export function isUlid(text: string): boolean {
  return pattern.test(text);
}

/** Milliseconds since 1970 at which an id was made; undefined when it is no ULID. */
export function ulidTime(text: string): number | undefined {
  if (!isUlid(text)) return undefined;
  let ms = 0;
  for (let i = 0; i < 10; i++) ms = ms * 32 + alphabet.indexOf(text.charAt(i));
  return ms;
}

function digit(value: number): string {
  return alphabet.charAt(value);
}

function partText(part: number): string {
  return `${pairs[part >>> 10]}${pairs[part & 1023]}`;
}

function timeText(ms: number): string {
  const high = Math.floor(ms / 1_048_576);
  const top = Math.floor(high / 1_048_576);
  return `${pairs[top & 1023]}${partText(high % 1_048_576)}${partText(ms % 1_048_576)}`;
}
