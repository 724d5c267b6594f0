import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalAddress, parseAddress, splitAddress } from './address.js';
import { domainToAscii, isGreetingName } from './domain.js';
import { type PathOptions, parsePath, scanPath } from './path.js';

describe('accepted paths, RFC 5321 §4.1.2', () => {
  const cases: readonly [text: string, options: PathOptions, localPart: string, domain: string, address: string][] = [
    ['<user@example.com>', {}, 'user', 'example.com', 'user@example.com'],
    ['<User.Name+tag@Example.COM>', {}, 'User.Name+tag', 'Example.COM', 'User.Name+tag@Example.COM'],
    ['<"user"@example.com>', {}, 'user', 'example.com', 'user@example.com'],
    ['<"a b"@example.com>', {}, 'a b', 'example.com', '"a b"@example.com'],
    ['<"a@b"@example.com>', {}, 'a@b', 'example.com', '"a@b"@example.com'],
    ['<"a>b"@example.com>', {}, 'a>b', 'example.com', '"a>b"@example.com'],
    ['<"a\\"b\\\\c"@example.com>', {}, 'a"b\\c', 'example.com', '"a\\"b\\\\c"@example.com'],
    ['<"a\\b"@example.com>', {}, 'ab', 'example.com', 'ab@example.com'],
    ['<""@example.com>', {}, '', 'example.com', '""@example.com'],
    ['<@a.test,@b.test:user@c.test>', {}, 'user', 'c.test', 'user@c.test'],
    ['<user@[192.0.2.1]>', {}, 'user', '[192.0.2.1]', 'user@[192.0.2.1]'],
    ['<user@[IPv6:2001:db8::1]>', {}, 'user', '[IPv6:2001:db8::1]', 'user@[IPv6:2001:db8::1]'],
    ['<user@localhost>', {}, 'user', 'localhost', 'user@localhost'],
    ['<user@xn--bcher-kva.test>', {}, 'user', 'xn--bcher-kva.test', 'user@xn--bcher-kva.test'],
    ['<büro@bücher.test>', { smtputf8: true }, 'büro', 'bücher.test', 'büro@bücher.test'],
    ['<"bü ro"@bücher.test>', { smtputf8: true }, 'bü ro', 'bücher.test', '"bü ro"@bücher.test'],
    ['<>', { allowNull: true }, '', '', ''],
    ['<Postmaster>', { allowPostmaster: true }, 'Postmaster', '', 'Postmaster'],
    ['<a.@x_y.test>', { lenient: true }, 'a.', 'x_y.test', '"a."@x_y.test'],
    [`<${'a'.repeat(64)}@example.com>`, {}, 'a'.repeat(64), 'example.com', `${'a'.repeat(64)}@example.com`],
  ];
  test.each(cases)('%s', (text, options, localPart, domain, address) => {
    expect(parsePath(text, options)).toMatchObject({ ok: true, path: { localPart, domain, address } });
  });
});

describe('refused paths', () => {
  const label = 'a'.repeat(60);
  const cases: readonly [text: string, options: PathOptions, reason: string][] = [
    ['', {}, 'syntax'],
    ['user@example.com', {}, 'syntax'],
    ['<user@example.com', {}, 'syntax'],
    ['<user@example.com> ', {}, 'syntax'],
    ['<>', {}, 'nullPath'],
    ['<postmaster>', {}, 'domain'],
    ['<someone>', { allowPostmaster: true }, 'domain'],
    ['<user@example.com.>', {}, 'domain'],
    ['<user@.example.com>', {}, 'domain'],
    ['<user@a..b>', {}, 'domain'],
    ['<user@-a.test>', {}, 'domain'],
    ['<user@x_y.test>', {}, 'domain'],
    ['<user@>', {}, 'domain'],
    ['<user@a b>', {}, 'domain'],
    ['<user@a@b.test>', {}, 'domain'],
    [`<user@${'a'.repeat(64)}.test>`, {}, 'domain'],
    ['<user@[192.0.2.256]>', {}, 'domain'],
    ['<user@[IPv6:fe80::1%eth0]>', {}, 'domain'],
    ['<user@[tag:content]>', {}, 'domain'],
    ['<a.@example.com>', {}, 'localPart'],
    ['<.a@example.com>', {}, 'localPart'],
    ['<a..b@example.com>', {}, 'localPart'],
    ['<@example.com>', {}, 'syntax'],
    ['<a b@example.com>', {}, 'localPart'],
    ['<"a"b@example.com>', {}, 'localPart'],
    ['<"a@example.com>', {}, 'localPart'],
    ['<"a\u0000"@example.com>', {}, 'localPart'],
    ['<a\r\n@example.com>', {}, 'localPart'],
    ['<a\ufffd@example.com>', { smtputf8: true }, 'localPart'],
    ['<@a.test,b.test:user@c.test>', {}, 'syntax'],
    ['<büro@example.com>', {}, 'nonAscii'],
    ['<user@bücher.test>', {}, 'nonAscii'],
    ['<user@bü%2ecker.test>', { smtputf8: true }, 'domain'],
    [`<${'a'.repeat(65)}@example.com>`, {}, 'localPartTooLong'],
    [`<${'ü'.repeat(33)}@example.com>`, { smtputf8: true }, 'localPartTooLong'],
    [`<a@${`${label}.`.repeat(4)}${label}>`, {}, 'domainTooLong'],
    [`<${'a'.repeat(30)}@${`${label}.`.repeat(3)}${'a'.repeat(50)}>`, {}, 'pathTooLong'],
    [`<${'a'.repeat(500)}>`, {}, 'localPartTooLong'],
    [`<"${'a'.repeat(500)}>`, {}, 'pathTooLong'],
  ];
  test.each(cases)('%.40s', (text, options, reason) => {
    expect(parsePath(text, options)).toEqual({ ok: false, reason });
  });
});

test('scanPath stops behind the bracket, also with a quoted bracket before it', () => {
  expect(scanPath('<"a> b"@x.test> SIZE=1', 0)).toMatchObject({ ok: true, end: 15 });
});

test('never throws, and what it takes it takes again in canonical form', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '@',
    '"',
    '\\',
    '.',
    ',',
    ':',
    '[',
    ']',
    'a',
    'b.test',
    'ü',
    ' ',
    '\0',
    '\ud800',
    '%',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 20 }).map((parts) => parts.join('')),
  );
  const options = fc.record({
    allowNull: fc.boolean(),
    allowPostmaster: fc.boolean(),
    smtputf8: fc.boolean(),
    lenient: fc.boolean(),
  });
  fc.assert(
    fc.property(text, options, (inner, chosen) => {
      for (const candidate of [inner, `<${inner}>`, `<${inner}@b.test>`]) {
        const parsed = parsePath(candidate, chosen);
        if (!parsed.ok || parsed.path.domain === '') continue;
        const again = parsePath(`<${parsed.path.address}>`, chosen);
        if (!again.ok)
          expect(again.reason).toMatch(/TooLong$/); // quotes of a lenient form may not fit
        else expect(again.path.localPart).toBe(parsed.path.localPart);
      }
    }),
    { numRuns: 2000 },
  );
});

test('canonical lookup form', () => {
  expect(canonicalAddress({ localPart: 'User', domain: 'BÜCHER.test' })).toBe('user@xn--bcher-kva.test');
  expect(canonicalAddress({ localPart: 'User', domain: 'X.test' }, { foldLocalPart: false })).toBe('User@x.test');
  expect(canonicalAddress({ localPart: 'u', domain: 'a b' })).toBeNull();
  expect(splitAddress('"a@b"@c.test')).toEqual({ localPart: 'a@b', domain: 'c.test' });
  expect(splitAddress('nobody')).toBeNull();
  expect(parseAddress('a@b.test')).toMatchObject({ ok: true });
});

test('domains and greeting names', () => {
  expect(domainToAscii('Example.COM')).toBe('example.com');
  expect(domainToAscii('exa%6dple.com')).toBeNull();
  expect(domainToAscii('a／b.test')).toBeNull();
  expect(isGreetingName('[IPv6:::1]')).toBe(true);
  expect(isGreetingName('under_score')).toBe(false);
  expect(isGreetingName('under_score', { lenient: true })).toBe(true);
});
