/**
 * Randomness as a parameter. systemRandom is the operating system's, fit for ids and secrets;
 * seededRandom repeats itself for one seed and is for tests, benches and simulations only.
 */
import { randomBytes, randomFillSync } from 'node:crypto';

export interface Random {
  bytes(count: number): Buffer;
  /** In [0, 1), 53 bits from systemRandom. */
  float(): number;
}

const poolBytes = 4096;

class SystemRandom implements Random {
  readonly #pool = Buffer.allocUnsafeSlow(poolBytes);
  #used = poolBytes;

  bytes(count: number): Buffer {
    return randomBytes(count);
  }

  float(): number {
    if (this.#used + 8 > poolBytes) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const high = this.#pool.readUInt32LE(this.#used) >>> 5;
    const low = this.#pool.readUInt32LE(this.#used + 4) >>> 6;
    this.#used += 8;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }
}

// sfc32, Doty-Humphrey's small fast counting generator: 128 bits of state, long proven period.
class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 4_294_967_296) | 0;
    this.#c = 0x9e3779b9;
    for (let warmUp = 0; warmUp < 16; warmUp++) this.#next();
  }

  bytes(count: number): Buffer {
    const out = Buffer.allocUnsafe(count);
    for (let i = 0; i < count; i++) out[i] = this.#next() & 0xff;
    return out;
  }

  float(): number {
    return (this.#next() >>> 0) / 4_294_967_296;
  }

  #next(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    this.#c |= 0;
    return result;
  }
}

export const systemRandom: Random = new SystemRandom();

export function seededRandom(seed: number): Random {
  return new SeededRandom(seed);
}
