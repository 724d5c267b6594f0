/**
 * Networks to values: a bit trie in flat arrays, one per family. A look-up walks the bits of the address once and keeps the value its owner
 * prefers among all networks that hold it: longest prefix, or lowest priority number. What 100,000 networks cost: `npm run bench:networks`.
 */
import type { IpNetwork } from './ip-network.js';

class BitTrie<Value> {
  /** Two per node: child for 0, child for 1; 0 = none. */
  #children = new Int32Array(256);
  #nodes = 1;
  readonly #values: (Value | undefined)[] = [undefined];

  insert(network: IpNetwork, value: Value, prefer: (outer: Value, inner: Value) => Value): void {
    let node = 0;
    for (let bit = 0; bit < network.prefixLength; bit++) {
      const slot = 2 * node + (((network.octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
      let child = this.#children[slot] ?? 0;
      if (child === 0) {
        child = this.#grow();
        this.#children[slot] = child;
      }
      node = child;
    }
    const present = this.#values[node];
    this.#values[node] = present === undefined ? value : prefer(present, value);
  }

  find(octets: Uint8Array, prefer: (outer: Value, inner: Value) => Value): Value | undefined {
    let found = this.#values[0];
    let node = 0;
    const bits = octets.length * 8;
    for (let bit = 0; bit < bits; bit++) {
      node = this.#children[2 * node + (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)] ?? 0;
      if (node === 0) break;
      const value = this.#values[node];
      if (value !== undefined) found = found === undefined ? value : prefer(found, value);
    }
    return found;
  }

  #grow(): number {
    const node = this.#nodes++;
    if (2 * node + 1 >= this.#children.length) {
      const larger = new Int32Array(this.#children.length * 2);
      larger.set(this.#children);
      this.#children = larger;
    }
    this.#values.push(undefined);
    return node;
  }
}

export class PrefixTrie<Value> {
  readonly #v4 = new BitTrie<Value>();
  readonly #v6 = new BitTrie<Value>();
  readonly #prefer: (outer: Value, inner: Value) => Value;
  #size = 0;

  /** `prefer` chooses where two networks hold an address; default: the narrower one. */
  constructor(prefer: (outer: Value, inner: Value) => Value = (_outer, inner) => inner) {
    this.#prefer = prefer;
  }

  get size(): number {
    return this.#size;
  }

  insert(network: IpNetwork, value: Value): void {
    this.#size++;
    (network.octets.length === 4 ? this.#v4 : this.#v6).insert(network, value, this.#prefer);
  }

  find(octets: Uint8Array): Value | undefined {
    return (octets.length === 4 ? this.#v4 : this.#v6).find(octets, this.#prefer);
  }
}
