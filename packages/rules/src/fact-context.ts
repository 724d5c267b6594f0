/**
 * Facts in the shape the expression engine reads: one object per group, fields as getters that convert when asked, so
 * an evaluation pays only for what its conditions name. A text is as long as a whole header section can be, and reading
 * it is paid for; lists end at 1,000 entries. With the static cost of an expression this bounds any evaluation. More
 * fields of one name than a list holds are a fault, never a shorter list: what stands behind them must not go unseen.
 */
import { shownTexts } from '@postern/mail-message';
import { spend } from './effort.js';
import { inForm } from './fact-form.js';
import { type FactEntry, type Facts, type FactTypes, factEntry, factNames } from './fact-table.js';

export const TEXT_LIMIT = 262_144;
export const LIST_LIMIT = 1_000;

/** Characters whose reading costs a step: reading is quick beside matching. */
const READ_PER_STEP = 8;

interface Field {
  readonly values: string[];
  count: number;
  characters: number;
}

/** Header fields by lower-case name. A name that is absent has no values and an empty first value. */
export class HeaderFacts {
  readonly #fields = new Map<string, Field>();
  readonly #shown = new Map<string, string[]>();

  constructor(fields: Iterable<readonly [string, string]>) {
    for (const [name, value] of fields) {
      const key = name.toLowerCase();
      const field = this.#fields.get(key);
      const text = cut(value);
      if (field === undefined) this.#fields.set(key, { values: [text], count: 1, characters: text.length });
      else {
        field.count += 1;
        field.characters += text.length;
        if (field.count <= LIST_LIMIT) field.values.push(text);
      }
    }
  }

  values(name: string): string[] {
    const field = this.#fields.get(name.toLowerCase());
    if (field === undefined) return [];
    if (field.count > LIST_LIMIT) throw new RangeError(`more than ${LIST_LIMIT} fields of one name`);
    spend(field.characters / READ_PER_STEP, 'text');
    return field.values;
  }

  /** As people may read them, one or two readings of each field. */
  shown(name: string): string[] {
    const key = name.toLowerCase();
    const known = this.#shown.get(key);
    if (known !== undefined) {
      spend(this.count(name), 'text');
      return known;
    }
    const values = this.values(name);
    // Decoding is slower than reading.
    spend(
      values.reduce((sum, { length }) => sum + length, 0),
      'text',
    );
    const shown = values.flatMap(shownTexts);
    if (shown.length > LIST_LIMIT) throw new RangeError(`more than ${LIST_LIMIT} readings of one name`);
    this.#shown.set(key, shown);
    return shown;
  }

  first(name: string): string {
    const [text = ''] = this.#fields.get(name.toLowerCase())?.values ?? [];
    spend(text.length / READ_PER_STEP, 'text');
    return text;
  }

  count(name: string): number {
    return this.#fields.get(name.toLowerCase())?.count ?? 0;
  }
}

/** The engine knows a group by its constructor, so each group has a class of its own. */
export interface FactGroup {
  readonly name: string;
  readonly type: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly ctor: new (source: unknown) => object;
}

const celTypes: Readonly<Record<keyof FactTypes, string>> = {
  string: 'string',
  int: 'int',
  double: 'double',
  bool: 'bool',
  strings: 'list<string>',
  time: 'google.protobuf.Timestamp',
};

interface NamedEntry {
  readonly field: string;
  readonly entry: FactEntry;
}

/** Facts that follow from another one of their group. */
const derivations: ReadonlyMap<string, (source: unknown) => unknown> = new Map([
  ['hour', (source) => timeOf(source)?.getUTCHours()],
  ['weekday', (source) => timeOf(source)?.getUTCDay()],
]);

const grouped = new Map<string, NamedEntry[]>();
const plain: NamedEntry[] = [];
for (const name of factNames()) {
  const entry = factEntry(name);
  if (entry === undefined) continue;
  const [group = '', field] = name.split('.');
  if (field === undefined) plain.push({ field: group, entry });
  else grouped.set(group, [...(grouped.get(group) ?? []), { field, entry }]);
}

export const factGroups: readonly FactGroup[] = [...grouped].map(([name, members]) => ({
  name,
  type: `postern.${name}`,
  fields: Object.fromEntries(members.map(({ field, entry }) => [field, celTypes[entry.type]])),
  ctor: groupClass(members),
}));

export const plainFacts: readonly { readonly name: string; readonly type: string }[] = plain.map(
  ({ field, entry }) => ({
    name: field,
    type: celTypes[entry.type],
  }),
);

function groupClass(members: readonly NamedEntry[]): FactGroup['ctor'] {
  class Group {
    constructor(readonly source: unknown) {}
    /** In their form, made when first named. */
    formed: Map<string, unknown> | undefined;
  }
  for (const { field, entry } of members) {
    const read = derivations.get(field) ?? ((source: unknown) => own(source, field));
    Object.defineProperty(Group.prototype, field, {
      get(this: Group) {
        const known = this.formed?.get(field);
        if (known !== undefined) return known;
        const value = converted(entry, read(this.source));
        if (entry.form === undefined) return value;
        this.formed ??= new Map();
        this.formed.set(field, value);
        return value;
      },
    });
  }
  return Group;
}

/** The root object: each group is made when first named and kept for the evaluation. */
class FactContext {
  readonly made = new Map<string, unknown>();
  constructor(readonly facts: Facts) {}
}

for (const { name, ctor: Group } of factGroups) defineOnce(name, (facts) => new Group(own(facts, name)));
for (const { field, entry } of plain) defineOnce(field, (facts) => converted(entry, own(facts, field)));
defineOnce('headers', (facts) => new HeaderFacts(facts.headers ?? []));

function defineOnce(name: string, make: (facts: Facts) => unknown): void {
  Object.defineProperty(FactContext.prototype, name, {
    get(this: FactContext) {
      const known = this.made.get(name);
      if (known !== undefined) return known;
      const value = make(this.facts);
      this.made.set(name, value);
      return value;
    },
  });
}

export function factContext(facts: Facts): object {
  return new FactContext(facts);
}

function own(source: unknown, field: string): unknown {
  return typeof source === 'object' && source !== null ? Reflect.get(source, field) : undefined;
}

function converted(entry: FactEntry, value: unknown): unknown {
  switch (entry.type) {
    case 'string':
      return entry.form === undefined ? textOf(value, entry.lower === true) : inForm(entry.form, textOf(value, false));
    case 'int':
      return typeof value === 'number' && Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
    case 'double':
      return typeof value === 'number' && Number.isFinite(value) ? value : 0;
    case 'bool':
      return value === true;
    case 'strings':
      return Array.isArray(value) ? value.slice(0, LIST_LIMIT).map((item) => textOf(item, entry.lower === true)) : [];
    case 'time':
      return value instanceof Date && Number.isFinite(value.getTime()) ? value : new Date(0);
  }
}

function timeOf(source: unknown): Date | undefined {
  const now = own(source, 'now');
  return now instanceof Date ? now : undefined;
}

function textOf(value: unknown, lower: boolean): string {
  if (typeof value !== 'string') return '';
  return lower ? cut(value).toLowerCase() : cut(value);
}

function cut(text: string): string {
  return text.length > TEXT_LIMIT ? text.slice(0, TEXT_LIMIT) : text;
}
