/** The examples of RFC 6376 and RFC 8463, our own signatures, another implementation, and what must not pass. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { FakeClock } from '@postern/clock';
import { createZone, type ZoneData } from '@postern/dns/testing';
import { readHeaderSection } from '@postern/mail-message';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { describe, expect, it } from 'vitest';
import { PublicKeyCache } from './public-key.js';
import { DkimSigner, type SigningOptions } from './sign.js';
import { type DkimContext, verifyDkim } from './verify.js';

const lines = (...parts: string[]): string => `${parts.join('\r\n')}\r\n`;

const fields = lines(
  'From: Joe SixPack <joe@football.example.com>',
  'To: Suzie Q <suzie@shopping.example.net>',
  'Subject: Is dinner ready?',
  'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
  'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
);
const body = lines('Hi.', '', 'We lost the game. Are you hungry yet?', '', 'Joe.');
const message = `${fields}\r\n${body}`;

const clock = new FakeClock(Date.UTC(2018, 5, 11));

async function verify(text: string, zone: ZoneData, context: Partial<DkimContext> = {}) {
  const octets = Buffer.from(text, 'latin1');
  const section = readHeaderSection(octets);
  const resolver = createZone(zone, clock);
  const results = await verifyDkim(section.fields, [octets.subarray(section.bodyOffset)], {
    resolver,
    clock,
    ...context,
  });
  return { results, resolver };
}

describe('RFC 8463 appendix A', () => {
  const signed =
    lines(
      'DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;',
      ' d=football.example.com; i=@football.example.com;',
      ' q=dns/txt; s=brisbane; t=1528637909; h=from : to :',
      ' subject : date : message-id : from : subject : date;',
      ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
      ' b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus',
      ' Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==',
      'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;',
      ' d=football.example.com; i=@football.example.com;',
      ' q=dns/txt; s=test; t=1528637909; h=from : to : subject :',
      ' date : message-id : from : subject : date;',
      ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
      ' b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3',
      ' DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz',
      ' dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=',
    ) + message;
  const rsa =
    'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi' +
    '0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB';
  const zone: ZoneData = {
    'brisbane._domainkey.football.example.com': {
      TXT: ['v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='],
    },
    'test._domainkey.football.example.com': { TXT: [rsa] },
  };

  it('both signatures pass', async () => {
    const { results } = await verify(signed, zone);
    expect(results).toMatchObject([
      {
        result: 'pass',
        algorithm: 'ed25519-sha256',
        domain: 'football.example.com',
        selector: 'brisbane',
        keyBits: 256,
      },
      { result: 'pass', algorithm: 'rsa-sha256', selector: 'test', keyBits: 1024, identity: '@football.example.com' },
    ]);
  });

  it.each([
    ['a body octet', 'Joe.\r\n', 'Joe!\r\n', 'fail', 'body hash differs'],
    ['a signed field', 'Is dinner', 'Is supper', 'fail', 'signature does not match'],
    ['a second From', 'From: Joe', 'From: x@y.example\r\nFrom: Joe', 'fail', 'signature does not match'],
  ])('a change of %s is seen', async (_, from, to, result, reason) => {
    const { results } = await verify(signed.replace(from, to), zone);
    expect(results).toMatchObject([
      { result, reason },
      { result, reason },
    ]);
  });

  it('spaces changed within the relaxed form are not', async () => {
    const { results } = await verify(
      signed.replace('Subject: Is', 'SUBJECT:  Is').replace('game. Are', 'game.  Are'),
      zone,
    );
    expect(results.map((one) => one.result)).toEqual(['pass', 'pass']);
  });

  it.each([
    [{ 'test._domainkey.football.example.com': { TXT: ['v=DKIM1; p='] } }, 'permerror', 'key revoked'],
    [{}, 'permerror', 'no key'],
    [{ 'test._domainkey.football.example.com': 'servfail' }, 'temperror', 'key not available: servfail'],
    [{ 'test._domainkey.football.example.com': 'timeout' }, 'temperror', 'key not available: timeout'],
    [
      { 'test._domainkey.football.example.com': { TXT: [rsa.replace('k=rsa', 'k=rsa; h=sha1')] } },
      'permerror',
      'h= without',
    ],
    [
      { 'test._domainkey.football.example.com': { TXT: [rsa.replace('k=rsa', 'k=rsa; s=other')] } },
      'permerror',
      's= without',
    ],
    [{ 'test._domainkey.football.example.com': { TXT: [rsa.replace('DKIM1', 'DKIM2')] } }, 'permerror', 'v='],
    [{ 'test._domainkey.football.example.com': { TXT: [rsa.replace('k=rsa', 'k=ed25519')] } }, 'permerror', 'k='],
    [{ 'test._domainkey.football.example.com': { TXT: ['v=DKIM1; p=MIGfMA0GCSqGSIb3'] } }, 'permerror', 'p='],
    [{ 'test._domainkey.football.example.com': { TXT: ['noise', rsa.replace('k=rsa', 'k=rsa; t=y:s')] } }, 'pass', ''],
  ] as [ZoneData, string, string][])('key record %#: %s', async (records, result, reason) => {
    const { results } = await verify(signed, records);
    expect(results[1]?.result).toBe(result);
    expect(results[1]?.reason ?? '').toContain(reason);
  });

  it.each([
    ['rsa-sha256; c', 'rsa-sha1; c', 'policy', 'rsa-sha1'],
    ['i=@football.example.com;\r\n q=dns/txt; s=test', 'i=@example.com; s=test', 'neutral', 'i='],
    ['i=@football.example.com;\r\n q=dns/txt; s=test', 'i=@notfootball.example.com; s=test', 'neutral', 'i='],
    ['s=test', 's=test; s=brisbane', 'neutral', 'tag list'],
    ['s=test; t=1528637909', 's=test; t=1528637909; x=1528637908', 'neutral', 'x='],
    ['s=test; t=1528637909', 's=test; t=1528637909; x=1528637910', 'policy', 'expired'],
    ['s=test; t=1528637909', 's=test; l=9999', 'fail', 'l= beyond'],
    ['v=1; a=rsa', 'v=2; a=rsa', 'neutral', 'v='],
    [
      'h=from : to : subject :\r\n date : message-id : from :',
      'h=to : subject :\r\n date : message-id :',
      'neutral',
      'From',
    ],
    ['q=dns/txt; s=test', 'q=https; s=test', 'neutral', 'q='],
  ])('%j as %j is %s', async (from, to, result, reason) => {
    expect(signed).toContain(from);
    const { results } = await verify(signed.replace(from, to), zone);
    expect(results[1]).toMatchObject({ result });
    expect(results[1]?.reason).toContain(reason);
  });

  it('looks at ten signatures at most', async () => {
    const [first = ''] = signed.split('DKIM-Signature: v=1; a=rsa');
    const many = Array.from({ length: 40 }, (_, i) => first.replace('s=brisbane', `s=s${i}`)).join('');
    const { results, resolver } = await verify(many + message, zone);
    expect(results.length).toBe(10);
    expect(resolver.calls.length).toBe(10);
  });
});

describe('RFC 6376 appendix A', () => {
  it('the simple/simple example passes', async () => {
    const received = lines(
      'Received: from client1.football.example.com  [192.0.2.1]',
      '      by submitserver.example.com with SUBMISSION;',
      '      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)',
    );
    const signature = lines(
      'DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;',
      '      c=simple/simple; q=dns/txt; i=joe@football.example.com;',
      '      h=Received : From : To : Subject : Date : Message-ID;',
      '      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
      '      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB',
      '      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut',
      '      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV',
      '      4bmp/YzhwvcubU4=;',
    );
    const { results } = await verify(signature + received + message, {
      'brisbane._domainkey.example.com': {
        TXT: [
          'v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4j' +
            'YfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB',
        ],
      },
    });
    expect(results).toMatchObject([{ result: 'pass', identity: 'joe@football.example.com', domain: 'example.com' }]);
  });
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const spki = (key: KeyObject): string => key.export({ type: 'spki', format: 'der' }).toString('base64');
const ourZone: ZoneData = {
  'r._domainkey.a.test': { TXT: [`v=DKIM1; p=${spki(rsa.publicKey)}`] },
  'e._domainkey.a.test': { TXT: [`v=DKIM1; k=ed25519; p=${spki(ed25519.publicKey).slice(-44)}`] },
};

function sign(text: string, options: Partial<SigningOptions> = {}): string {
  const octets = Buffer.from(text, 'latin1');
  const section = readHeaderSection(octets);
  const signer = new DkimSigner(section.fields, {
    keys: [
      { domain: 'a.test', selector: 'r', privateKey: rsa.privateKey },
      { domain: 'a.test', selector: 'e', privateKey: ed25519.privateKey },
    ],
    clock,
    ...options,
  });
  for (let at = section.bodyOffset; at < octets.length; at += 7) signer.update(octets.subarray(at, at + 7));
  return signer.finish().join('') + text;
}

describe('signing', () => {
  it.each([message, `${fields}\r\n`, fields, `From: a@a.test\r\n\r\n\r\n \r\nx`])(
    'our own signatures pass: %#',
    async (text) => {
      const { results } = await verify(sign(text, { lifetimeSeconds: 3600 }), ourZone);
      expect(results.map((one) => one.result)).toEqual(['pass', 'pass']);
    },
  );

  it('holds lines of 78 characters', () => {
    for (const line of sign(message).split('\r\n')) expect(line.length).toBeLessThanOrEqual(79);
  });

  it.each(['From: evil@b.test', 'Subject: other', 'Cc: x@b.test', 'Reply-To: x@b.test', 'Date: now'])(
    'an added %s breaks it',
    async (added) => {
      const signed = sign(message).replace('From: Joe', `${added}\r\nFrom: Joe`);
      const { results } = await verify(signed, ourZone);
      expect(results.map((one) => one.result)).toEqual(['fail', 'fail']);
    },
  );

  it('another implementation agrees with both directions of it', async () => {
    const resolver = (name: string): Promise<string[][]> => {
      const node = ourZone[name];
      return Promise.resolve(typeof node === 'object' && Array.isArray(node.TXT) ? node.TXT.map((text) => [text]) : []);
    };
    const theirs = await dkimVerify(Buffer.from(sign(message), 'latin1'), { resolver });
    expect(theirs.results.map((one: { status: { result: string } }) => one.status.result)).toEqual(['pass', 'pass']);
  });

  it('refuses a key of another kind', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keys = [{ domain: 'a.test', selector: 's', privateKey }];
    expect(() => sign(message, { keys })).toThrow(TypeError);
    expect(createPrivateKey(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })).asymmetricKeyType).toBe('rsa');
  });

  it('reads a cached key once, and forgets the oldest', async () => {
    const keyCache = new PublicKeyCache(1);
    for (let i = 0; i < 3; i++) {
      const { results } = await verify(sign(message), ourZone, { keyCache });
      expect(results.map((one) => one.result)).toEqual(['pass', 'pass']);
    }
    const revoked = {
      'r._domainkey.a.test': { TXT: ['v=DKIM1; p='] },
      'e._domainkey.a.test': { TXT: ['v=DKIM1; p='] },
    };
    const { results } = await verify(sign(message), revoked, { keyCache });
    expect(results.map((one) => one.result)).toEqual(['permerror', 'permerror']);
  });

  it('keys outside of the policy do not pass', async () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 768 });
    const keys = [{ domain: 'a.test', selector: 'r', privateKey: small.privateKey }];
    const zone = { 'r._domainkey.a.test': { TXT: [`v=DKIM1; p=${spki(small.publicKey)}`] } };
    expect((await verify(sign(message, { keys }), zone)).results).toMatchObject([{ result: 'policy' }]);
    const { results } = await verify(sign(message), ourZone, { maxRsaBits: 1024 });
    expect(results).toMatchObject([{ result: 'policy' }, { result: 'pass' }]);
  });
});
