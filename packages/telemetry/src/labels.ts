/**
 * Label sets of a metric and the children made for their values. A set is closed (its values are listed) or bounded:
 * the first `limit` values seen get a series, all others share `other`. Never an address, domain, IP or id.
 */
export interface BoundedLabel {
  readonly limit: number;
}

export type LabelSets = Readonly<Record<string, readonly string[] | BoundedLabel>>;

export type LabelValues<L extends LabelSets> = {
  readonly [K in keyof L]: L[K] extends readonly (infer V)[] ? V : string;
};

/** For values known only at run time, such as tenants (1,000) or gRPC methods. */
export function boundedLabel(limit: number): BoundedLabel {
  return { limit };
}

const preparedSeries = 128;
const other = 'other';

type Values = Readonly<Record<string, string>>;

export class Labelled<B> {
  readonly names: string[];
  readonly #sets: LabelSets;
  readonly #create: (labels: Values) => B;
  readonly #children = new Map<string, { readonly labels: Values; readonly bound: B }>();
  readonly #seen = new Map<string, Set<string>>();

  constructor(sets: LabelSets, create: (labels: Values) => B) {
    this.#sets = sets;
    this.names = Object.keys(sets);
    this.#create = create;
    this.#prepare();
  }

  with(labels: Values): B {
    let key = '';
    for (const name of this.names) key += `${labels[name]}\n`;
    const known = this.#children.get(key);
    return known === undefined ? this.#add(this.#admit(labels)) : known.bound;
  }

  *all(): Iterable<readonly [Values, B]> {
    for (const { labels, bound } of this.#children.values()) yield [labels, bound];
  }

  describe(): Record<string, string> {
    const described: Record<string, string> = {};
    for (const [name, set] of Object.entries(this.#sets)) {
      described[name] = 'limit' in set ? `at most ${set.limit} values, then ${other}` : set.join(', ');
    }
    return described;
  }

  /** Closed sets exist from the start with 0, so that a rate over the first event is not lost. */
  #prepare(): void {
    let combinations: Values[] = [{}];
    for (const [name, set] of Object.entries(this.#sets)) {
      if ('limit' in set || combinations.length * set.length > preparedSeries) return;
      combinations = combinations.flatMap((labels) => set.map((value) => ({ ...labels, [name]: value })));
    }
    for (const labels of combinations) this.#add(labels);
  }

  #admit(labels: Values): Values {
    const admitted: Record<string, string> = {};
    for (const [name, set] of Object.entries(this.#sets)) {
      const value = labels[name] ?? other;
      admitted[name] = ('limit' in set ? this.#isWithin(name, value, set.limit) : set.includes(value)) ? value : other;
    }
    return admitted;
  }

  #isWithin(name: string, value: string, limit: number): boolean {
    const seen = this.#seen.get(name) ?? new Set();
    this.#seen.set(name, seen);
    if (seen.size < limit) seen.add(value);
    return seen.has(value);
  }

  #add(labels: Values): B {
    const key = this.names.map((name) => `${labels[name]}\n`).join('');
    const known = this.#children.get(key);
    if (known !== undefined) return known.bound;
    const bound = this.#create(labels);
    this.#children.set(key, { labels, bound });
    return bound;
  }
}
