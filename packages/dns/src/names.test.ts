import { describe, expect, it } from 'vitest';
import { dnsblName, domainListName, normaliseName, reverseName, unmapAddress } from './names.js';

describe('names', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['.', ''],
    ['', undefined],
    ['a..b', undefined],
    ['.a', undefined],
    ['a..', undefined],
    [`${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`],
    [`${'a'.repeat(64)}.b`, undefined],
    [`${'a.'.repeat(128)}`, undefined],
    [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
    ['b\u00fccher.test', undefined],
    ['a b.test', 'a b.test'],
    ['a\tb.test', undefined],
    ['_dmarc.example.com', '_dmarc.example.com'],
  ])('%.30s becomes %.30s', (given, expected) => {
    expect(normaliseName(given)).toBe(expected);
  });

  it.each([
    ['192.0.2.1', '1.2.0.192.in-addr.arpa'],
    ['::ffff:192.0.2.1', '1.2.0.192.in-addr.arpa'],
    ['2001:db8::1', '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'],
    ['::', `${'0.'.repeat(32)}ip6.arpa`],
    ['not-an-address', undefined],
    ['fe80::1%eth0', undefined],
  ])('reverse name of %s', (address, expected) => {
    expect(reverseName(address)).toBe(expected);
  });

  it('builds list names', () => {
    expect(dnsblName('127.0.0.2', 'bl.test')).toBe('2.0.0.127.bl.test');
    expect(dnsblName('nonsense', 'bl.test')).toBeUndefined();
    expect(domainListName('Spam.TEST.', 'uri.test')).toBe('spam.test.uri.test');
    expect(unmapAddress('::ffff:10.1.2.3')).toBe('10.1.2.3');
    expect(unmapAddress('2001:db8::1')).toBe('2001:db8::1');
  });
});
