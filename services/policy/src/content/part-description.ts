/**
 * What the header section of a part says of it, each field in every way in which some mail program reads it: types, names, boundaries, whether it is shown as text.
 * RFC 2045 §5, RFC 2183. Bounded; where a bound cuts something off it is said.
 */
import { fieldsNamed, type HeaderField, parameterReadings, parseParameterized } from '@postern/mail-message';
import { decodeUtf7, namesUtf7 } from './utf7.js';

export interface PartDescription {
  /** The first is that of the first field. */
  readonly types: readonly string[];
  readonly encodings: readonly string[];
  readonly charset: string;
  readonly names: readonly string[];
  /** The delimiters its parts may have: one, but for fields that can be read in several ways. */
  readonly boundaries: readonly string[];
  /** Its parts are messages where they do not say what they are. */
  readonly isDigest: boolean;
  readonly isAttachment: boolean;
  /** Somebody may be shown its text. */
  readonly isText: boolean;
  /** More fields, parameters or names than are read. */
  readonly isCut: boolean;
  /** Of the fields that were read for names. */
  readonly octets: number;
  /** Encoded words in them, or what looks like the beginning of one. */
  readonly words: number;
}

const mostFields = 10;
const mostNames = 50;
const mostBoundaries = 10;
const fileNames: ReadonlySet<string> = new Set(['filename', 'name']);
const boundary: ReadonlySet<string> = new Set(['boundary']);
const plain = 'text/plain';
const message = 'message/rfc822';
const none: ReadonlySet<string> = new Set();

/** `isInDigest`: a part of multipart/digest, which is a message unless it says otherwise (RFC 2046 §5.1.5); some programs take it for text. */
export function describePart(fields: readonly HeaderField[], isInDigest = false): PartDescription {
  const named = (name: string) => fieldsNamed(fields, name).map(({ value }) => value);
  const types = named('content-type');
  const dispositions = named('content-disposition');
  const encodings = named('content-transfer-encoding');
  const read = (texts: readonly string[], names = none) =>
    texts.slice(0, mostFields).map((text) => parameterReadings(text, names, names === fileNames));
  const contentTypes = read(types, fileNames);
  const shownAs = read(dispositions, fileNames);
  const all = [...contentTypes, ...shownAs];
  const texts = [...types, ...dispositions];
  const written = all.flatMap(({ values }) => values);
  const names = distinct(texts.some(namesUtf7) ? [...written, ...written.map(decodeUtf7)] : written);
  const unsaid = isInDigest ? [message, plain] : [plain];
  const values = distinct(contentTypes.flatMap(({ value }) => (value === '' ? unsaid : [value])));
  const isMultipart = values.some((type) => type.startsWith('multipart/'));
  const boundaries = isMultipart ? delimiters(read(types, boundary).flatMap((reading) => reading.values)) : [];
  const isAttached = shownAs.length > 0 && shownAs.every(({ value }) => value === 'attachment');
  const shownTypes = values.length === 0 ? unsaid.slice(0, 1) : values;
  return {
    types: shownTypes,
    encodings: distinct(read(encodings).map(({ value }) => value)),
    charset:
      parseParameterized(types[0] ?? '')
        .parameters.get('charset')
        ?.toLowerCase() ?? '',
    names: names.slice(0, mostNames),
    boundaries: boundaries.slice(0, mostBoundaries),
    isDigest: values.includes('multipart/digest'),
    isAttachment: names.length > 0 || shownAs.some(({ value }) => value === 'attachment'),
    isText: !isAttached && shownTypes.some((type) => type.startsWith('text/')),
    isCut:
      all.some(({ isCut }) => isCut) ||
      [types, dispositions, encodings].some((texts) => texts.length > mostFields) ||
      names.length > mostNames ||
      boundaries.length > mostBoundaries,
    octets: texts.reduce((sum, { length }) => sum + length, 0),
    words: texts.reduce((sum, text) => sum + (text.includes('=?') ? text.split('=?').length - 1 : 0), 0),
  };
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

/** White space at the ends of a boundary is against RFC 2046 §5.1.1, and taken off by some programs only. */
const delimiters = (boundaries: readonly string[]): readonly string[] =>
  distinct(boundaries.flatMap((text) => [text, text.trimEnd(), text.trim()]));
