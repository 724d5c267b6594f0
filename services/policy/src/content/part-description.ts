/**
 * What the header section of a part says of it, each field in every way in which some mail program reads it: types, names, boundaries, whether it is shown as text.
 * RFC 2045 §5, RFC 2183. Bounded; where a bound cuts something off it is said.
 */
import { fieldsNamed, type HeaderField, parameterReadings, parseParameterized } from '@postern/mail-message';

export interface PartDescription {
  /** The first is that of the first field. */
  readonly types: readonly string[];
  readonly encodings: readonly string[];
  readonly charset: string;
  readonly names: readonly string[];
  readonly boundaries: readonly string[];
  readonly isAttachment: boolean;
  /** Somebody may be shown its text. */
  readonly isText: boolean;
  /** More fields, parameters or names than are read. */
  readonly isCut: boolean;
}

const mostFields = 10;
const mostNames = 50;
const mostBoundaries = 10;
const fileNames: ReadonlySet<string> = new Set(['filename', 'name']);
const boundary: ReadonlySet<string> = new Set(['boundary']);
const none: ReadonlySet<string> = new Set();

export function describePart(fields: readonly HeaderField[]): PartDescription {
  const named = (name: string) => fieldsNamed(fields, name).map(({ value }) => value);
  const [types, dispositions, encodings] = ['content-type', 'content-disposition', 'content-transfer-encoding'].map(
    named,
  );
  const read = (texts: readonly string[] = [], names = none) =>
    texts.slice(0, mostFields).map((text) => parameterReadings(text, names, names === fileNames));
  const contentTypes = read(types, fileNames);
  const shownAs = read(dispositions, fileNames);
  const all = [...contentTypes, ...shownAs];
  const names = [...new Set(all.flatMap(({ values }) => values))];
  const values = distinct(contentTypes.map(({ value }) => (value === '' ? 'text/plain' : value)));
  const isMultipart = values.some((type) => type.startsWith('multipart/'));
  const boundaries = isMultipart ? distinct(read(types, boundary).flatMap((reading) => reading.values)) : [];
  const isAttached = shownAs.length > 0 && shownAs.every(({ value }) => value === 'attachment');
  return {
    types: values.length === 0 ? ['text/plain'] : values,
    encodings: distinct(read(encodings).map(({ value }) => value)),
    charset:
      parseParameterized(types?.[0] ?? '')
        .parameters.get('charset')
        ?.toLowerCase() ?? '',
    names: names.slice(0, mostNames),
    boundaries: boundaries.slice(0, mostBoundaries),
    isAttachment: names.length > 0 || shownAs.some(({ value }) => value === 'attachment'),
    isText: !isAttached && (values.length === 0 || values.some((type) => type.startsWith('text/'))),
    isCut:
      all.some(({ isCut }) => isCut) ||
      [types, dispositions, encodings].some((texts = []) => texts.length > mostFields) ||
      names.length > mostNames ||
      boundaries.length > mostBoundaries,
  };
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];
