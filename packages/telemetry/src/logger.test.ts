import { PosternError } from '@postern/errors';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { defineEvents, eventsMarkdown } from './events.js';
import type { Logger } from './logger.js';
import { redactAddress, redactFields } from './redaction.js';
import { startTelemetry } from './telemetry.js';
import { captureTelemetry } from './testing.js';

const edgeEvents = defineEvents('edge', {
  'edge.message.accepted': 'A message is stored; 250 follows.',
  'edge.session.closed': 'A session ended.',
});

describe('log', () => {
  test('a line has time, level, service, event and fields', () => {
    const { log, lines } = captureTelemetry('edge');
    log.info('edge.message.accepted', { queue_id: 'Q1', attempt: 1, absent: undefined });
    expect(lines[0]).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      service: 'edge',
      event: 'edge.message.accepted',
      queue_id: 'Q1',
      attempt: 1,
    });
  });

  test('a child adds its fields to every line, redacted as well', () => {
    const { log, lines } = captureTelemetry();
    log.child({ session_id: 'S', password: 'hush' }).warn('edge.session.closed');
    expect(lines[0]).toMatchObject({ level: 'warn', session_id: 'S', password: '***' });
  });

  test('below the level nothing is written', () => {
    const { log, lines } = captureTelemetry('edge', 'warn');
    log.debug('a.b');
    log.info('a.b');
    log.error('a.b');
    expect([lines.length, log.debugging]).toEqual([1, false]);
  });

  test('errors appear with id, message and causes, not as objects', () => {
    const { log, lines } = captureTelemetry();
    const cause = new Error('connection refused');
    log.error('a.b', { error: new PosternError('store-unavailable', 'SPOOL', { cause }) });
    expect(lines[0]?.error).toMatchObject({
      type: 'PosternError',
      id: 'store-unavailable',
      message: 'store-unavailable: SPOOL',
      cause: { type: 'Error', message: 'connection refused' },
    });
  });

  test('lines inside a trace carry its id', () => {
    const { log, lines, tracer } = captureTelemetry();
    const traceId = 'a'.repeat(32);
    tracer.withRemoteParent(`00-${traceId}-${'b'.repeat(16)}-00`, () => log.info('a.b'));
    log.info('a.b');
    expect(lines.map((line) => line.trace_id)).toEqual([traceId, undefined]);
  });

  test('only events of the catalogue compile', () => {
    const { log } = startTelemetry({ level: 'silent', traceSampleRatio: 0 }, 'edge', { events: edgeEvents });
    expectTypeOf(log).toEqualTypeOf<Logger<'edge.message.accepted' | 'edge.session.closed'>>();
    // @ts-expect-error: not in the catalogue
    log.info('edge.message.acepted');
  });
});

test.each([
  ['full', 'a@b.test', 'a@b.test'],
  ['domain', 'a@b.test', '***@b.test'],
  ['domain', 'postmaster', '***'],
  ['domain', '', ''],
  ['hashed', 'A@b.test', redactAddress('a@B.test', 'hashed').replace('@B', '@b')],
] as const)('redactAddress %s %j', (form, address, expected) => expect(redactAddress(address, form)).toBe(expected));

test('fields are redacted by name', () => {
  const fields = {
    reverse_path: 'a@b.test',
    recipients: ['c@d.test', 'e@f.test'],
    relayPassword: 'hush',
    mx: 'mx.b.test',
    n: 1,
  };
  expect(redactFields(fields, 'domain')).toEqual({
    reverse_path: '***@b.test',
    recipients: ['***@d.test', '***@f.test'],
    relayPassword: '***',
    mx: 'mx.b.test',
    n: 1,
  });
  expect(redactAddress('a@b.test', 'hashed')).toMatch(/^[0-9a-f]{12}@b\.test$/);
});

describe('defineEvents', () => {
  test.each(['message.accepted', 'edge', 'edge.Message.accepted', 'edge.a.b.c.d'])('refuses %s', (name) => {
    expect(() => defineEvents('edge', { [name]: 'text' })).toThrow(TypeError);
  });

  test('an event without a meaning is refused', () => {
    expect(() => defineEvents('edge', { 'edge.a.b': ' ' })).toThrow(/meaning/);
  });

  test('the page lists all, sorted', () => {
    expect(eventsMarkdown([edgeEvents], () => ['info', 'warn'])).toMatch(
      /edge\.message\.accepted` \| info, warn \|[\s\S]*edge\.session\.closed/,
    );
  });
});
