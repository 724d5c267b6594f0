/** DomainKeys verified against signatures made here by the letter of RFC 4870, with plain string work and nothing of the verifier. */
import { createHash, createSign, generateKeyPairSync, privateEncrypt } from 'node:crypto';
import { createZone, type ZoneData } from '@postern/dns/testing';
import { readHeaderSection } from '@postern/mail-message';
import { expect, test } from 'vitest';
import { OwnDigests } from '../dkim/body-digests.js';
import { isSignatureOf } from './message-hash.js';
import { DomainKeysVerifier } from './verify.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const sha1 = createHash('sha1').update('x').digest();
const digestInfo = Buffer.from('3021300906052b0e03021a05000414', 'hex');
const zoneWith = (record: string): ZoneData => ({ 's._domainkey.a.test': { TXT: [record] } });
const zone = zoneWith(`k=rsa; p=${p}`);

const header = 'From: "Ann" <ann@a.test>\r\nSubject:  a  subject\r\n\tthat is folded\r\nTo: b@b.test\r\n';
const body = 'Hello  there\t\r\n\r\n a line \r\n\r\n\r\n';

/** The octets that are signed, written down without a loop over octets. */
function signedText(form: string, signedHeader: string, signedBody: string): string {
  const unfolded = form === 'nofws' ? signedHeader.replace(/\r\n([ \t])/g, '$1') : signedHeader;
  const lines = `${unfolded}\r\n${signedBody}`.split('\r\n');
  const kept = form === 'nofws' ? lines.map((line) => line.replace(/[ \t\r]/g, '')) : lines;
  return `${kept.join('\r\n').replace(/(\r\n)+$/, '')}\r\n`;
}

interface Wanted {
  readonly form?: string;
  readonly tags?: string;
  readonly domain?: string;
  readonly text?: string;
  readonly content?: string;
}

function signed({ form = 'simple', tags = '', domain = 'a.test', text = header, content = body }: Wanted = {}): string {
  const b = createSign('sha1')
    .update(signedText(form, text, content), 'latin1')
    .sign(privateKey, 'base64');
  return `DomainKey-Signature: a=rsa-sha1; q=dns; c=${form}; s=s; d=${domain};${tags}\r\n b=${b}\r\n${text}\r\n${content}`;
}

async function verify(message: string, data: ZoneData = zone, size = message.length) {
  const bytes = Buffer.from(message, 'latin1');
  const { fields, bodyOffset } = readHeaderSection(bytes);
  const verifier = new DomainKeysVerifier(fields, { resolver: createZone(data) });
  for (let at = bodyOffset; at < bytes.length; at += size) verifier.update(bytes.subarray(at, at + size));
  return verifier.finish();
}

test.each(['simple', 'nofws'])(
  '%s holds in pieces of any size, with an empty body and without a last line end',
  async (form) => {
    for (const size of [1, 2, 7, 10_000])
      expect(await verify(signed({ form }), zone, size)).toMatchObject({ result: 'pass' });
    for (const content of ['', '\r\n', '\r\n\r\n', 'x', 'x\r\ny', '\r\n\r\nx\r\n', ' \r\n\r\n'])
      expect([content, (await verify(signed({ form, content }))).result]).toEqual([content, 'pass']);
    expect(await verify(signed({ form }).replace('Hello', 'hello'))).toMatchObject({ result: 'fail' });
    expect(await verify(signed({ form }).replace('ann@', 'eve@'))).toMatchObject({ result: 'fail' });
  },
);

test('nofws does not see white space and folding, simple does; lines added at the end change neither', async () => {
  const other = (message: string) => message.replace('Hello  there\t', 'Hello there').replace('\r\n\tthat', ' that');
  expect(await verify(other(signed({ form: 'nofws' })))).toMatchObject({ result: 'pass' });
  expect(await verify(other(signed({ form: 'simple' })))).toMatchObject({ result: 'fail' });
  for (const form of ['simple', 'nofws'])
    expect(await verify(`${signed({ form })}\r\n\r\n`)).toMatchObject({ result: 'pass' });
});

test('h= covers what it names; fields above the signature are never covered', async () => {
  const some = 'From: "Ann" <ann@a.test>\r\nTo: b@b.test\r\n';
  const message = signed({ text: some, tags: ' h=From:To;' }).replace(
    'To: b@b.test\r\n',
    `To: b@b.test\r\nX-Later: 1\r\n`,
  );
  expect(await verify(message)).toMatchObject({ result: 'pass' });
  expect(await verify(`Received: by x\r\n${signed()}`)).toMatchObject({ result: 'pass' });
  expect(await verify(signed({ tags: ' h=To;' }))).toMatchObject({ result: 'neutral', reason: 'from is not signed' });
});

test.each<[string, string, ZoneData, string]>([
  ['none', `${header}\r\n${body}`, zone, ''],
  ['neutral', signed({ domain: 'b.test' }), zone, 'd= is not the domain of from'],
  ['pass', signed({ text: header.replace('ann@a.test', 'ann@sub.a.test') }), zone, ''],
  ['neutral', signed({ text: `Sender: x@b.test\r\n${header}` }), zone, 'd= is not the domain of sender'],
  ['neutral', signed().replace('rsa-sha1', 'rsa-sha256'), zone, 'malformed: a='],
  ['neutral', signed().replace('c=simple', 'c=other'), zone, 'malformed: c='],
  ['neutral', signed().replace('s=s;', 's=../x;'), zone, 'malformed: s='],
  ['neutral', signed().replace(' b=', ' b=*'), zone, 'malformed: b='],
  ['permerror', signed().replace(/From:.*\r\n/, ''), zone, 'no readable Sender or From'],
  ['permerror', signed(), {}, 'no key'],
  ['permerror', signed(), zoneWith('k=rsa; p='), 'key revoked'],
  ['temperror', signed(), { 's._domainkey.a.test': 'timeout' }, 'key not available: timeout'],
  ['fail', signed(), zoneWith(`g=bob; k=rsa; p=${p}`), 'key is for another local part'],
  ['pass', signed(), zoneWith(`g=ann; k=rsa; p=${p}`), ''],
  ['pass', signed(), zoneWith(`t=y; p=${p}`), ''],
])('%s: %#', async (result, message, data, reason) => {
  const found = await verify(message, data);
  expect([found.result, found.reason ?? '']).toEqual([result, reason]);
});

test('the body is hashed by whoever is given it; without a digest nothing is said against the message', async () => {
  const bytes = Buffer.from(signed(), 'latin1');
  const { fields, bodyOffset } = readHeaderSection(bytes);
  const elsewhere = new OwnDigests();
  const verifier = new DomainKeysVerifier(fields, { resolver: createZone(zone), digests: elsewhere });
  expect(verifier.needsBody && elsewhere.wanted).toBe(true);
  elsewhere.update(bytes.subarray(bodyOffset));
  expect(await verifier.finish()).toMatchObject({ result: 'pass' });
  const lost = new OwnDigests();
  const other = new DomainKeysVerifier(fields, { resolver: createZone(zone), digests: lost });
  lost.drop();
  expect(await other.finish()).toMatchObject({ result: 'temperror', reason: 'body could not be hashed' });
});

test.each<[string, Buffer]>([
  ['the digest alone, without what says its algorithm', privateEncrypt(privateKey, sha1)],
  [
    'another algorithm',
    privateEncrypt(
      privateKey,
      Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), sha1, sha1.subarray(0, 12)]),
    ),
  ],
  ['octets behind the digest', privateEncrypt(privateKey, Buffer.concat([digestInfo, sha1, Buffer.from('x')]))],
  ['octets before it', privateEncrypt(privateKey, Buffer.concat([Buffer.from('x'), digestInfo, sha1]))],
  ['random octets', Buffer.alloc(128, 7)],
  ['a signature of another length', Buffer.alloc(64, 7)],
  ['nothing', Buffer.alloc(0)],
])('a signature that holds %s is none', (_what, signature) => {
  expect(isSignatureOf(sha1, publicKey, signature)).toBe(false);
});

test('a signature as it should be is one, by its own key', () => {
  const own = createSign('sha1').update('x').sign(privateKey);
  expect(isSignatureOf(sha1, publicKey, own)).toBe(true);
  expect(isSignatureOf(sha1, generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, own)).toBe(false);
});
