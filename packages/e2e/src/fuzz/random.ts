/** Repeatable chance: the same seed gives the same session, so that one that failed can be run again alone. Not for secrets. */

/** Mixes a seed and a number into a new seed. */
export function seedOf(seed: number, number: number): number {
  let mixed = (seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 up to, not including, 1 (mulberry32). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  yes(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.between(0, list.length - 1)] ?? list[0];
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    for (let at = 0; at < count; at++) bytes[at] = this.between(0, 255);
    return bytes;
  }

  /** Letters and digits. */
  word(count: number): string {
    let text = '';
    for (let at = 0; at < count; at++) text += 'abcdefghijklmnopqrstuvwxyz0123456789'[this.between(0, 35)] ?? 'a';
    return text;
  }

  /** Ascending offsets at which `length` octets are cut into segments. */
  cuts(length: number, atMost: number): number[] {
    const offsets = new Set<number>();
    for (let left = this.between(0, atMost); left > 0; left--) offsets.add(this.between(1, Math.max(1, length - 1)));
    return [...offsets].filter((offset) => offset < length).sort((one, other) => one - other);
  }
}
