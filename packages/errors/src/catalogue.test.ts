import { describe, expect, test } from 'vitest';
import { type CatalogueEntry, catalogue, errorIds, grpcCodes, isErrorId } from './catalogue.js';
import { isPosternError, PosternError, toPosternError } from './postern-error.js';
import { errorsMarkdown } from './reference.js';

// Ids are a contract between releases: this list only grows.
const published = [
  'aborted',
  'already-exists',
  'cancelled',
  'config-invalid',
  'credentials-unavailable',
  'deadline-exceeded',
  'directory-stale',
  'draining',
  'failed-precondition',
  'internal',
  'invalid-argument',
  'limits-unavailable',
  'message-too-large',
  'not-found',
  'overload',
  'permission-denied',
  'policy-unavailable',
  'quota-exceeded',
  'service-unavailable',
  'store-unavailable',
  'unauthenticated',
  'unimplemented',
];

test('published ids are still there', () => {
  expect([...errorIds].sort()).toEqual(expect.arrayContaining(published));
});

describe.each(errorIds)('%s', (id) => {
  const entry: CatalogueEntry = catalogue[id];

  test('a local fault is never answered 5xx', () => {
    expect(entry.reply.code >= 500).toBe(entry.judgement);
  });

  test('reply and enhanced code are of the same class', () => {
    expect(entry.reply.enhanced).toMatch(/^[45]\.\d{1,3}\.\d{1,3}$/);
    expect(entry.reply.enhanced.charAt(0)).toBe(String(entry.reply.code).charAt(0));
  });

  test('has a known gRPC code and both texts on one line', () => {
    expect(Object.values<number>(grpcCodes)).toContain(entry.grpcCode);
    expect(entry.publicText).toMatch(/^[^\r\n|]{5,100}$/);
    expect(entry.help).toMatch(/^[^\r\n|]{10,200}$/);
    expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  test('is in the reference page', () => expect(errorsMarkdown()).toContain(`| \`${id}\` |`));
});

describe('PosternError', () => {
  test('keeps id, detail and cause', () => {
    const cause = new Error('socket closed');
    const error = new PosternError('store-unavailable', 'stream SPOOL', { cause });
    expect(error).toMatchObject({ id: 'store-unavailable', detail: 'stream SPOOL', cause, temporary: true });
    expect(error.message).toBe('store-unavailable: stream SPOOL');
    expect(isPosternError(error)).toBe(true);
    expect(isPosternError(error, 'overload')).toBe(false);
  });

  test('anything else becomes internal and keeps its cause', () => {
    const thrown = new TypeError('x is undefined');
    expect(toPosternError(thrown)).toMatchObject({ id: 'internal', detail: '', cause: thrown });
    const own = new PosternError('draining');
    expect(toPosternError(own)).toBe(own);
  });

  test('isErrorId knows no inherited names', () => {
    expect(isErrorId('internal')).toBe(true);
    expect(isErrorId('toString')).toBe(false);
  });
});
