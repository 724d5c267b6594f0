import { describe, expect, test } from 'vitest';
import {
  formatAuthenticationResults,
  readAuthservId,
  stripForgedAuthenticationResults,
} from './authentication-results.js';
import { formatDate } from './date.js';
import { applyHeaderEdits, formatHeaderField } from './header-edit.js';
import { readHeaderSection } from './header-section.js';
import { formatReceived, type ReceivedFacts, transmissionType } from './received.js';

const facts: ReceivedFacts = {
  protocol: 'esmtp',
  tls: true,
  authenticated: false,
  smtputf8: false,
  greeting: 'client.test',
  clientAddress: '192.0.2.1',
  clientName: 'c.test',
  by: 'mx.test',
  id: '01JQ',
  forAddress: 'a@b.test',
  tlsDetail: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
  receivedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
};

describe('Received', () => {
  test('the whole field', () => {
    expect(formatHeaderField('Received', formatReceived(facts)).toString()).toBe(
      'Received: from client.test (c.test [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n' +
        '\tby mx.test with ESMTPS id 01JQ\r\n\tfor <a@b.test>;\r\n\tFri, 2 Jan 2026 03:04:05 +0000\r\n',
    );
  });
  test('a hostile greeting stays inside its comment', () => {
    const value = formatReceived({
      ...facts,
      greeting: 'x) by evil;\r\nBcc: y',
      clientName: null,
      tlsDetail: null,
      forAddress: null,
    });
    expect(value).toMatch(/^from \[192\.0\.2\.1\] \(HELO x\?by\?evil\?Bcc:\?y\) \(\[192\.0\.2\.1\]\)\r\n\tby mx\.test/);
  });
  const types: readonly [Partial<ReceivedFacts>, string][] = [
    [{ protocol: 'smtp', tls: false }, 'SMTP'],
    [{ tls: false }, 'ESMTP'],
    [{}, 'ESMTPS'],
    [{ authenticated: true }, 'ESMTPSA'],
    [{ tls: false, authenticated: true }, 'ESMTPA'],
    [{ smtputf8: true }, 'UTF8SMTPS'],
    [{ smtputf8: true, tls: false }, 'UTF8SMTP'],
    [{ protocol: 'lmtp', smtputf8: true, authenticated: true }, 'UTF8LMTPSA'],
  ];
  test.each(types)('%j is %s', (change, expected) => {
    expect(transmissionType({ ...facts, ...change })).toBe(expected);
  });
});

describe('Authentication-Results', () => {
  test('plain and hostile values', () => {
    expect(
      formatAuthenticationResults('mx.test', [
        { method: 'spf', result: 'pass', properties: [{ type: 'smtp', name: 'mailfrom', value: 'a@b.test' }] },
        { method: 'dkim', result: 'fail', reason: 'bad; dkim=pass "x"', comment: 'a)b' },
      ]),
    ).toBe('mx.test;\r\n\tspf=pass smtp.mailfrom=a@b.test;\r\n\tdkim=fail (a\\)b) reason="bad; dkim=pass \\"x\\""');
    expect(formatAuthenticationResults('mx.test', [])).toBe('mx.test;\r\n\tnone');
    expect(() => formatAuthenticationResults('mx.test', [{ method: 'spf;x', result: 'pass' }])).toThrow(TypeError);
  });
  const ids: readonly [string, string | null][] = [
    ['MX.test; none', 'mx.test'],
    ['(com(ment) \\) ) mx.test 1; none', 'mx.test'],
    ['"mx.test"; none', 'mx.test'],
    ['"m\\x.test";', 'mx.test'],
    ['mx.test.; none', 'mx.test'],
    ['(open comment mx.test; none', null],
    ['; none', null],
  ];
  test.each(ids)('id of %j', (text, id) => {
    expect(readAuthservId(text)).toBe(id);
  });
  test('only those in our name go', () => {
    const header = Buffer.from(
      'Authentication-Results: MX.test; spf=pass\r\nAuthentication-Results: other.test; spf=pass\r\n' +
        'authentication-results:\r\n (x) mx.test; dkim=pass\r\nAuthentication-Results: ;\r\n\r\n',
    );
    const edits = stripForgedAuthenticationResults(readHeaderSection(header).fields, 'mx.test');
    expect(applyHeaderEdits(header, edits).toString()).toBe('Authentication-Results: other.test; spf=pass\r\n\r\n');
  });
});

test('dates are UTC', () => {
  expect(formatDate(0)).toBe('Thu, 1 Jan 1970 00:00:00 +0000');
});
