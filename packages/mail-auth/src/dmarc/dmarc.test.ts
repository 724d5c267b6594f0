import { createZone, type ZoneData } from '@postern/dns/testing';
import { readHeaderSection } from '@postern/mail-message';
import { describe, expect, it } from 'vitest';
import { authorDomains } from './author-domain.js';
import { type DmarcQuestion, evaluateDmarc } from './evaluate.js';
import { parseDmarcRecord } from './record.js';

const author = (...domains: string[]) => ({ domains, fields: 1, truncated: false });
const evaluate = (zone: ZoneData, question: Partial<DmarcQuestion>) =>
  evaluateDmarc({ author: author('a.test'), spf: undefined, dkim: [], ...question }, createZone(zone));
const txt = (...TXT: string[]) => ({ TXT });

describe('alignment', () => {
  const relaxed = { '_dmarc.a.test': txt('v=DMARC1; p=reject') };
  const strict = { '_dmarc.a.test': txt('v=DMARC1; p=reject; adkim=s; aspf=s') };
  it.each([
    ['same domain SPF', relaxed, { spf: { result: 'pass', domain: 'a.test' } }, 'pass'],
    ['same domain DKIM', relaxed, { dkim: [{ result: 'pass', domain: 'a.test' }] }, 'pass'],
    ['subdomain SPF, relaxed', relaxed, { spf: { result: 'pass', domain: 'bounce.a.test' } }, 'pass'],
    ['subdomain DKIM, relaxed', relaxed, { dkim: [{ result: 'pass', domain: 'mail.a.test' }] }, 'pass'],
    ['subdomain SPF, strict', strict, { spf: { result: 'pass', domain: 'bounce.a.test' } }, 'fail'],
    ['subdomain DKIM, strict', strict, { dkim: [{ result: 'pass', domain: 'mail.a.test' }] }, 'fail'],
    ['same domain DKIM, strict', strict, { dkim: [{ result: 'pass', domain: 'a.test' }] }, 'pass'],
    ['another domain', relaxed, { spf: { result: 'pass', domain: 'b.test' } }, 'fail'],
    ['another top level', relaxed, { dkim: [{ result: 'pass', domain: 'a.example' }] }, 'fail'],
    ['a failed signature', relaxed, { dkim: [{ result: 'fail', domain: 'a.test' }] }, 'fail'],
    ['softfail', relaxed, { spf: { result: 'softfail', domain: 'a.test' } }, 'fail'],
    [
      'the second signature',
      relaxed,
      {
        dkim: [
          { result: 'fail', domain: 'a.test' },
          { result: 'pass', domain: 'a.test' },
        ],
      },
      'pass',
    ],
    ['SPF temperror, aligned', relaxed, { spf: { result: 'temperror', domain: 'x.a.test' } }, 'temperror'],
    ['DKIM temperror, aligned', relaxed, { dkim: [{ result: 'temperror', domain: 'a.test' }] }, 'temperror'],
    ['DKIM temperror, foreign', relaxed, { dkim: [{ result: 'temperror', domain: 'b.test' }] }, 'fail'],
  ] as [string, ZoneData, Partial<DmarcQuestion>, string][])('%s', async (_, zone, question, result) => {
    const outcome = await evaluate(zone, question);
    expect(outcome.result).toBe(result);
    expect(outcome.disposition).toBe(result === 'fail' ? 'reject' : 'none');
  });
});

describe('what cannot count is not waited for', () => {
  const never = () => new Promise<never>(() => undefined);
  const zone: ZoneData = { '_dmarc.a.test': txt('v=DMARC1; p=reject'), '_dmarc.slow.test': 'timeout' };
  it.each<[string, Partial<DmarcQuestion>, string, string]>([
    ['a signer beside', { dkim: [{ domain: 'slow.test', result: never }] }, 'fail', 'reject'],
    ['a signer elsewhere', { dkim: [{ domain: 'a.example', result: never }] }, 'fail', 'reject'],
    ['a reverse-path beside', { spf: { domain: 'slow.test', result: never } }, 'fail', 'reject'],
    ['a signer with a longer name', { dkim: [{ domain: 'not-a.test', result: 'temperror' }] }, 'fail', 'reject'],
    [
      'eleven before its own',
      {
        dkim: [
          ...Array.from({ length: 11 }, (_, n) => ({ domain: `s${n}.test`, result: never })),
          { domain: 'a.test', result: 'pass' },
        ],
      },
      'pass',
      'none',
    ],
  ])('%s', async (_, question, result, disposition) => {
    expect(await evaluate(zone, question)).toMatchObject({ result, disposition });
  });

  it.each<[string, string, string]>([
    ['p=reject', 'v=DMARC1; p=reject', 'reject'],
    ['p=none', 'v=DMARC1; p=none', 'none'],
    ['t=y', 'v=DMARC1; p=quarantine; t=y', 'none'],
  ])('an aligned one that is temperror leaves at stake what the domain asks for: %s', async (_, record, atStake) => {
    const dkim = [{ domain: 'x.a.test', result: async () => 'temperror' as const }];
    expect(await evaluate({ '_dmarc.a.test': txt(record) }, { dkim })).toMatchObject({ result: 'temperror', atStake });
  });

  it('leaves all at stake while the record cannot be asked for', async () => {
    expect(await evaluate({ '_dmarc.a.test': 'timeout' }, {})).toMatchObject({
      result: 'temperror',
      atStake: 'unknown',
    });
  });
});

describe('policy', () => {
  const above = {
    '_dmarc.a.test': txt('v=DMARC1; p=reject; sp=quarantine; np=none'),
    'real.a.test': { A: ['192.0.2.1'] },
  };
  it.each([
    ['no record', {}, 'a.test', 'none', 'none', undefined],
    ['own record', { '_dmarc.a.test': txt('v=DMARC1; p=quarantine') }, 'a.test', 'fail', 'quarantine', 'p'],
    ['t=y', { '_dmarc.a.test': txt('v=DMARC1; p=reject; t=y') }, 'a.test', 'fail', 'quarantine', 'p'],
    ['pct is ignored', { '_dmarc.a.test': txt('v=DMARC1; p=reject; pct=0') }, 'a.test', 'fail', 'reject', 'p'],
    ['sp of the organisation', above, 'real.a.test', 'fail', 'quarantine', 'sp'],
    ['np for a name that is not', above, 'gone.a.test', 'fail', 'none', 'np'],
    ['p where sp is absent', { '_dmarc.a.test': txt('v=DMARC1; p=reject') }, 'x.y.a.test', 'fail', 'reject', 'p'],
    [
      'two records are none',
      { '_dmarc.a.test': txt('v=DMARC1; p=reject', 'v=DMARC1; p=none') },
      'a.test',
      'none',
      'none',
      undefined,
    ],
    ['other TXT beside it', { '_dmarc.a.test': txt('hello', 'v=DMARC1; p=reject') }, 'a.test', 'fail', 'reject', 'p'],
    ['p missing is none', { '_dmarc.a.test': txt('v=DMARC1;') }, 'a.test', 'fail', 'none', 'p'],
    [
      'p damaged, with rua',
      { '_dmarc.a.test': txt('v=DMARC1; p=x; rua=mailto:r@a.test') },
      'a.test',
      'fail',
      'none',
      'p',
    ],
    ['p damaged, without', { '_dmarc.a.test': txt('v=DMARC1; p=x') }, 'a.test', 'none', 'none', undefined],
    [
      'psd above the organisation',
      { '_dmarc.test': txt('v=DMARC1; p=reject; psd=y') },
      'a.test',
      'fail',
      'reject',
      'p',
    ],
    ['servfail', { '_dmarc.a.test': 'servfail' }, 'a.test', 'temperror', 'none', undefined],
    ['servfail above', { '_dmarc.a.test': 'timeout' }, 'x.a.test', 'temperror', 'none', undefined],
  ] as [string, ZoneData, string, string, string, string | undefined][])(
    '%s',
    async (_, zone, domain, result, disposition, source) => {
      const outcome = await evaluate(zone, { author: author(domain) });
      expect([outcome.result, outcome.disposition, outcome.policySource]).toEqual([result, disposition, source]);
    },
  );

  it('takes the strictest of several authors', async () => {
    const zone = { '_dmarc.a.test': txt('v=DMARC1; p=none'), '_dmarc.b.test': txt('v=DMARC1; p=reject') };
    const question = { author: author('a.test', 'b.test'), dkim: [{ result: 'pass', domain: 'a.test' }] } as const;
    expect(await evaluate(zone, question)).toMatchObject({ result: 'fail', domain: 'b.test', disposition: 'reject' });
  });

  it('is permerror without a usable author', async () => {
    const none = { domains: [], fields: 0, truncated: false };
    expect(await evaluate({}, { author: none })).toMatchObject({ result: 'permerror' });
    const hidden = { domains: ['a.test'], fields: 1, truncated: true };
    expect(await evaluate({}, { author: hidden })).toMatchObject({ result: 'permerror' });
    const crowd = author(...Array.from({ length: 11 }, (_, index) => `a${index}.test`));
    expect(await evaluate({}, { author: crowd })).toMatchObject({ result: 'permerror' });
  });

  it('of ten authors finds the strictest', async () => {
    const zone = { '_dmarc.b.test': txt('v=DMARC1; p=reject') };
    const crowd = author(...Array.from({ length: 9 }, (_, index) => `a${index}.test`), 'b.test');
    expect(await evaluate(zone, { author: crowd })).toMatchObject({ result: 'fail', disposition: 'reject' });
  });

  it('refuses for what is known beside an author whose DNS is away', async () => {
    const zone: ZoneData = { '_dmarc.a.test': txt('v=DMARC1; p=reject'), '_dmarc.slow.test': 'timeout' };
    expect(await evaluate(zone, { author: author('slow.test', 'a.test') })).toMatchObject({
      ...{ result: 'fail', domain: 'a.test', disposition: 'reject' },
    });
  });
});

describe('tree walk', () => {
  it('stops at psd=n, so a department is its own organisation', async () => {
    const zone = {
      '_dmarc.dept.a.test': txt('v=DMARC1; p=reject; psd=n'),
      '_dmarc.a.test': txt('v=DMARC1; p=reject'),
    };
    const question = { author: author('dept.a.test'), dkim: [{ result: 'pass', domain: 'a.test' }] } as const;
    expect(await evaluate(zone, question)).toMatchObject({ result: 'fail', organizationalDomain: 'dept.a.test' });
    const below = { author: author('dept.a.test'), dkim: [{ result: 'pass', domain: 'x.dept.a.test' }] } as const;
    expect(await evaluate(zone, below)).toMatchObject({ result: 'pass' });
  });

  it('keeps tenants of a public suffix apart', async () => {
    const zone = { '_dmarc.test': txt('v=DMARC1; p=none; psd=y'), '_dmarc.a.test': txt('v=DMARC1; p=reject') };
    const question = { dkim: [{ result: 'pass', domain: 'b.test' }] } as const;
    expect(await evaluate(zone, question)).toMatchObject({ result: 'fail', organizationalDomain: 'a.test' });
    const below = { dkim: [{ result: 'pass', domain: 'x.a.test' }] } as const;
    expect(await evaluate(zone, below)).toMatchObject({ result: 'pass', alignedDkim: 'x.a.test' });
  });

  it('asks eight names at most', async () => {
    const zone = createZone({ '_dmarc.i.j.test': txt('v=DMARC1; p=reject') });
    const question = { author: author('a.b.c.d.e.f.g.h.i.j.test'), spf: undefined, dkim: [] };
    expect((await evaluateDmarc(question, zone)).policyDomain).toBe('i.j.test');
    expect(zone.asked('TXT')).toEqual(
      [
        'a.b.c.d.e.f.g.h.i.j.test',
        'e.f.g.h.i.j.test',
        'f.g.h.i.j.test',
        'g.h.i.j.test',
        'h.i.j.test',
        'i.j.test',
        'j.test',
        'test',
      ].map((name) => `_dmarc.${name}`),
    );
  });
});

describe('authorDomains', () => {
  it.each([
    ['a@A.test', ['a.test']],
    ['"x, y@evil.test" <a@a.test>', ['a.test']],
    ['Joe (at b.test <x@c.test>) <a@a.test>', ['a.test']],
    ['a@a.test, b@b.test', ['a.test', 'b.test']],
    ['Group: a@a.test, B <b@b.test>;', ['a.test', 'b.test']],
    ['"a@b"@a.test', ['a.test']],
    ['<a@a.test> <b@b.test>', ['a.test', 'b.test']],
    ['x@other.test <a@a.test>', ['a.test']],
    ['undisclosed:;', []],
    ['nobody', []],
    ['a@[192.0.2.1]', []],
    ['a@b\u00fccher.test', ['xn--bcher-kva.test']],
    ['"unclosed <a@a.test>', ['a.test']],
    ['a@a.test <', ['a.test']],
    ['a@a.test <>', ['a.test']],
    ['a@a.test <nobody>', ['a.test']],
    ['a@a.test <b@b.test', ['b.test', 'a.test']],
    ['a@a.test, x', ['a.test']],
    ['"a@a.test"', ['a.test']],
    ['=?utf-8?q?a=40a=2Etest?=', ['a.test']],
    ['a@a.test: nobody;', ['a.test']],
    ['a@a.test (unclosed', ['a.test']],
    ['a @ a . test', ['a.test']],
    ['a@a.test.', ['a.test']],
    ['<a@a.test', ['a.test']],
    ['<<a@a.test>>', ['a.test']],
  ])('%j', (value, domains) => {
    const { fields } = readHeaderSection(Buffer.from(`From: ${value}\r\n\r\n`));
    expect(authorDomains(fields)).toEqual({ domains, fields: 1, truncated: false });
  });

  it('sees every From field', () => {
    const { fields } = readHeaderSection(Buffer.from('From: a@a.test\r\nfrom : b@b.test\r\nFrom: x\r\n\r\n'));
    expect(authorDomains(fields)).toEqual({ domains: ['a.test', 'b.test'], fields: 3, truncated: false });
  });

  it('sees the author behind a crowd, and tells that there are more than it reads', () => {
    const crowd = (count: number) =>
      readHeaderSection(Buffer.from(`From: ${'x@b.test,'.repeat(count)}a@a.test\r\n\r\n`)).fields;
    expect(authorDomains(crowd(100))).toEqual({ domains: ['b.test', 'a.test'], fields: 1, truncated: false });
    expect(authorDomains(crowd(1_000))).toMatchObject({ truncated: true });
  });
});

it('reads the reporting tags', () => {
  const text = 'v=DMARC1; p=none; rua=mailto:a@a.test, https://r.test/x,junk; ruf=mailto:f@a.test; fo=1:d';
  expect(parseDmarcRecord(text)).toMatchObject({
    aggregateReports: ['mailto:a@a.test', 'https://r.test/x'],
    failureReports: ['mailto:f@a.test'],
    failureOptions: ['1', 'd'],
  });
  expect(parseDmarcRecord('v=DMARC10; p=none')).toBeUndefined();
  expect(parseDmarcRecord('p=none; v=DMARC1')).toBeUndefined();
});
