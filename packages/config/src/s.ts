/**
 * The builder every service's config.ts is written with: `s.duration({ min: 1000 }).default('30s').doc('…')`.
 */
import { type Cidr, cidrKind, domainKind, type HostPort, hostPortKind, urlKind } from './addresses.js';
import { listKind, type RecordLimits, recordKind, type SizeLimits } from './collections.js';
import { type Fields, type ObjectOf, objectKind, type RawObjectOf } from './object.js';
import { type PlainValue, plainKind } from './plain.js';
import { bytesKind, durationKind } from './quantities.js';
import {
  booleanKind,
  enumerationKind,
  fileKind,
  type NumberLimits,
  numberKind,
  type StringLimits,
  stringKind,
} from './scalars.js';
import { type Kind, Schema } from './schema.js';
import { type UnionOf, unionKind, type Variants } from './union.js';

function field<T, Raw = T>(kind: Kind<T>): Schema<T, Raw> {
  return new Schema<T, Raw>(kind, 'required');
}

export const s = {
  string: (limits?: StringLimits) => field<string>(stringKind(limits)),
  integer: (limits?: NumberLimits) => field<number>(numberKind('integer', limits)),
  number: (limits?: NumberLimits) => field<number>(numberKind('number', limits)),
  boolean: () => field<boolean>(booleanKind()),
  /** Milliseconds inside; limits are in milliseconds. */
  duration: (limits?: NumberLimits) => field<number, string | 0>(durationKind(limits)),
  /** Bytes inside; limits are in bytes. */
  bytes: (limits?: NumberLimits) => field<number, string | 0>(bytesKind(limits)),
  enumeration: <const V extends string>(values: readonly V[]) => field<V>(enumerationKind(values)),
  /** The absolute path of a file, a secret as a rule; read it with readSecret. */
  file: () => field<string>(fileKind()),
  hostPort: () => field<HostPort, string>(hostPortKind()),
  cidr: () => field<Cidr, string>(cidrKind()),
  domain: () => field<string>(domainKind()),
  /** Credentials in it are masked wherever it is shown. */
  url: (protocols: readonly string[] = ['http', 'https']) => field<string>(urlKind(protocols)),
  list: <T, Raw>(item: Schema<T, Raw>, limits?: SizeLimits) => field<T[], readonly Raw[]>(listKind(item, limits)),
  record: <T, Raw>(item: Schema<T, Raw>, limits?: RecordLimits) =>
    field<Record<string, T>, Readonly<Record<string, Raw>>>(recordKind(item, limits)),
  object: <F extends Fields>(fields: F) => field<ObjectOf<F>, RawObjectOf<F>>(objectKind(fields)),
  /** Anything, as written: judged by another package. */
  plain: () => field<PlainValue>(plainKind()),
  /** `s.union('kind', { local: {…fields}, s3: {…fields} })`. */
  union: <const D extends string, V extends Variants>(discriminator: D, variants: V) =>
    field<UnionOf<D, V>, Readonly<Record<string, unknown>>>(unionKind(discriminator, variants)),
};
