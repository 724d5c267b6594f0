/**
 * A schema = a kind (how a value is read, shown and described) and facts about the field (text, default, since).
 * Immutable: every method returns a new schema. Reading reports all problems into the reader and never throws.
 */
import { type Located, locatePlain } from './located.js';
import { type Problem, quoteValue } from './problem.js';

export type JsonSchema = { readonly [key: string]: unknown };
export type Presence = 'required' | 'optional';
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false };

export const refused = { ok: false } as const;

export function accepted<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** What is wrong with a part of a document: it, what is missing in it, or that it is there at all. `shape`: not even of the right kind. */
export type RefusalKind = 'value' | 'shape' | 'missing' | 'unknown';

export interface Refusal {
  readonly problem: Problem;
  readonly at: Located;
  readonly kind: RefusalKind;
}

/** Collects problems while a document is read, each with the part it is about. */
export class Reader {
  readonly refusals: Refusal[] = [];

  get problems(): readonly Problem[] {
    return this.refusals.map(({ problem }) => problem);
  }

  refuse(at: Located, path: string, allowed: string, secret = false): typeof refused {
    const given = at.kind === 'scalar' ? (secret ? 'the value' : quoteValue(at.value)) : `a ${at.kind}`;
    return this.report(at, at.place, path, `${given} is not allowed; expected ${allowed}`);
  }

  /** Where a map or a list is expected. */
  refuseShape(at: Located, path: string, allowed: string): typeof refused {
    const given = at.kind === 'scalar' ? quoteValue(at.value) : `a ${at.kind}`;
    return this.report(at, at.place, path, `${given} is not allowed; expected ${allowed}`, 'shape');
  }

  report(at: Located, place: string, path: string, message: string, kind: RefusalKind = 'value'): typeof refused {
    this.refusals.push({ problem: { place, path, message }, at, kind });
    return refused;
  }
}

export interface Child {
  readonly name: string;
  readonly schema: AnySchema;
}

export interface Kind<T> {
  /** One word for the type column of the reference. */
  readonly type: string;
  /** How a single environment variable or argument is turned into a value. */
  readonly textForm: 'scalar' | 'list' | 'structure';
  /** What is allowed, completing "expected …". */
  allowed(): string;
  read(at: Located, path: string, reader: Reader, secret: boolean): Outcome<T>;
  /** The value as it would be written in YAML. */
  show(value: T): unknown;
  jsonSchema(): JsonSchema;
  /** Fields below this one, with their path suffix: `.name`, `[]`, `.<key>`. */
  children(): readonly Child[];
}

interface Check<T> {
  readonly allowed: string;
  holds(value: T): boolean;
  hint(value: T): string | undefined;
}

interface Facts<T, Raw> {
  readonly text?: string;
  readonly since?: string;
  readonly initial?: { readonly raw: Raw };
  readonly secret?: boolean;
  readonly restart?: boolean;
  readonly checks?: readonly Check<T>[];
}

export class Schema<T, Raw = T, P extends Presence = 'required'> {
  readonly kind: Kind<T>;
  readonly presence: P;
  readonly facts: Facts<T, Raw>;

  constructor(kind: Kind<T>, presence: P, facts: Facts<T, Raw> = {}) {
    this.kind = kind;
    this.presence = presence;
    this.facts = facts;
  }

  /** What the field means, one or two sentences; goes into the reference. */
  doc(text: string): Schema<T, Raw, P> {
    return new Schema(this.kind, this.presence, { ...this.facts, text });
  }

  /** The release that brought the field. */
  since(version: string): Schema<T, Raw, P> {
    return new Schema(this.kind, this.presence, { ...this.facts, since: version });
  }

  /** Absent means absent: the key is not in the result. */
  optional(): Schema<T, Raw, 'optional'> {
    return new Schema(this.kind, 'optional', this.facts);
  }

  /** Written as in the file: '30s' for a duration. */
  default(raw: Raw): Schema<T, Raw> {
    return new Schema(this.kind, 'required', { ...this.facts, initial: { raw } });
  }

  /** Never shown in errors, logs or printed configuration. Prefer a file path. */
  secret(): Schema<T, Raw, P> {
    return new Schema(this.kind, this.presence, { ...this.facts, secret: true });
  }

  /** A change takes effect only after a restart. */
  restart(): Schema<T, Raw, P> {
    return new Schema(this.kind, this.presence, { ...this.facts, restart: true });
  }

  /** A further condition; `allowed` completes "expected …", `hint` what was most likely meant. */
  check(
    allowed: string,
    holds: (value: T) => boolean,
    hint: (value: T) => string | undefined = () => undefined,
  ): Schema<T, Raw, P> {
    const checks = [...(this.facts.checks ?? []), { allowed, holds, hint }];
    return new Schema(this.kind, this.presence, { ...this.facts, checks });
  }

  read(at: Located, path: string, reader: Reader): Outcome<T> {
    const outcome = this.kind.read(at, path, reader, this.facts.secret === true);
    if (!outcome.ok) return outcome;
    for (const check of this.facts.checks ?? []) {
      if (check.holds(outcome.value)) continue;
      const hint = check.hint(outcome.value);
      return reader.refuse(
        at,
        path,
        hint === undefined ? check.allowed : `${check.allowed}; ${hint}`,
        this.facts.secret,
      );
    }
    return outcome;
  }

  /** The value of a field that is not there. `within` is the map it is missing in. */
  readAbsent(within: Located, path: string, reader: Reader, place = within.place): Outcome<T> {
    if (this.facts.initial) return this.read(locatePlain(this.facts.initial.raw, 'default'), path, reader);
    return reader.report(within, place, path, `missing; expected ${this.kind.allowed()}`, 'missing');
  }
}

export type AnySchema = Schema<unknown, unknown, Presence>;
export type Infer<S> = S extends Schema<infer T, infer _Raw, infer _P> ? T : never;
export type RawOf<S> = S extends Schema<infer _T, infer Raw, infer _P> ? Raw : never;
