/**
 * Bodies of actions that are more than a field or two: what they demand of their fields, and what they come to. Wrong fields are noted in `Fields`,
 * whose problems the parser tells; the action made of them is then used by nobody.
 */
import type { Action } from './action.js';
import type { Fields } from './fields.js';
import { isStructuredField } from './structured-field.js';

const mechanisms = [
  'PLAIN',
  'LOGIN',
  'CRAM-MD5',
  'DIGEST-MD5',
  'SCRAM-SHA-256',
  'SCRAM-SHA-256-PLUS',
  'OAUTHBEARER',
  'XOAUTH2',
  'GSSAPI',
] as const;
const MONTH_SECONDS = 2_678_400;
const MAX_BYTES = 2 ** 40;

/** RFC 3463: the class of the enhanced code is that of the reply code. */
export function reply(kind: 'reject' | 'tempfail', fields: Fields): Action {
  const permanent = kind === 'reject';
  const code = fields.integer('code', permanent ? [500, 599] : [400, 499], permanent ? 550 : 451);
  const enhanced = fields.text('enhanced', permanent ? '5.7.1' : '4.7.1', 11);
  if (!/^[245]\.\d{1,3}\.\d{1,3}$/.test(enhanced) || enhanced[0] !== String(code)[0])
    fields.fail('enhanced', 'is not an enhanced status code of the class of the reply', permanent ? '5.7.1' : '4.7.1');
  return { kind, code, enhanced, text: fields.text('text', permanent ? 'Refused by a rule' : 'Try again later') };
}

export function header(kind: 'addHeader' | 'addHeaderIfAbsent', fields: Fields): Action {
  return { kind, name: fields.headerName('name'), value: fields.text('value', undefined, 900) };
}

/** A new value, or words around the old one; these only where it is text for people. */
export function changedHeader(fields: Fields): Action {
  const name = fields.headerName('name');
  const words = (field: string): string => {
    if (!fields.has(field)) return '';
    const text = fields.text(field, undefined, 200);
    if (text !== '' && text.trim() === '') fields.fail(field, 'has no words', 'such as "[EXTERNAL] "');
    return text;
  };
  const [prefix, suffix] = [words('prefix'), words('suffix')];
  const isAround = fields.has('prefix') || fields.has('suffix');
  if (isAround && fields.has('value')) fields.fail('value', 'is given beside prefix or suffix', 'one of the two');
  if (isAround && isStructuredField(name))
    fields.fail('name', `${name} is no text that words could be put to`, 'a field such as Subject, or value');
  const value = isAround ? '' : fields.text('value', undefined, 900);
  return { kind: 'changeHeader', name, value, prefix, suffix };
}

export function limits(fields: Fields): Action {
  if (!(fields.has('size') || fields.has('recipients') || fields.has('errors')))
    fields.fail('', 'names no limit', 'size, recipients or errors');
  const size = fields.optionalBytes('size', MAX_BYTES);
  const recipients = fields.optionalInteger('recipients', [0, 100_000]);
  return { kind: 'setLimit', size, recipients, errors: fields.optionalInteger('errors', [0, 100_000]) };
}

export function mechanismsOffered(fields: Fields): Action {
  if (!(fields.has('plain') || fields.has('tls')))
    fields.fail('', 'names no kind of connection', 'plain or tls with a list of mechanisms');
  return {
    kind: 'auth',
    plain: fields.has('plain') ? fields.someOf('plain', mechanisms) : undefined,
    tls: fields.has('tls') ? fields.someOf('tls', mechanisms) : undefined,
  };
}

export const retries = (fields: Fields): Action => ({
  kind: 'retrySchedule',
  delays: fields.integers('delays', [1, MONTH_SECONDS], 50),
  giveUpAfter: fields.optionalInteger('giveUpAfter', [0, MONTH_SECONDS]),
});
