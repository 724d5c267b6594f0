/**
 * Why verification is our own (docs/adr/0012): what RFC 6376, 8301 and 8601 do not let pass, signed by hand, and what mailauth, the library there is
 * for Node, says of it. A row that no longer holds for a newer mailauth is a reason to look at the decision again.
 */
import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { FakeClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { readHeaderSection } from '@postern/mail-message';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { expect, test } from 'vitest';
import { verifyDkim } from './dkim/verify.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const clock = new FakeClock(Date.UTC(2026, 10, 21));
const message = 'From: Ann <a@a.test>\r\nSubject: s\r\n\r\nbody\r\n';
const usual = 'v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=s';

/** A signature over From and the body that is right but for what its tags say. */
function signed(tags: string): string {
  const hash = tags.includes('a=rsa-sha1') ? 'sha1' : 'sha256';
  const bodyHash = createHash(hash).update('body\r\n').digest('base64');
  const value = `${tags}; h=from; bh=${bodyHash}; b=`;
  const text = `from:Ann <a@a.test>\r\ndkim-signature:${value}`;
  return `DKIM-Signature: ${value}${createSign(`RSA-${hash}`).update(text).sign(privateKey, 'base64')}\r\n${message}`;
}

async function ours(text: string, record: string): Promise<string | undefined> {
  const octets = Buffer.from(text);
  const section = readHeaderSection(octets);
  const resolver = createZone({ 's._domainkey.a.test': { TXT: [record] } }, clock);
  const [result] = await verifyDkim(section.fields, [octets.subarray(section.bodyOffset)], { resolver, clock });
  return result?.result;
}

async function theirs(text: string, record: string): Promise<string> {
  const { results } = await dkimVerify(Buffer.from(text), { resolver: async () => [[record]] });
  return results.map((one: { status: { result: string } }) => one.status.result).join();
}

test.each<[string, string, string, string, string]>([
  ['a proper signature', usual, `v=DKIM1; p=${key}`, 'pass', 'pass'],
  ['rsa-sha1', usual.replace('sha256', 'sha1'), `v=DKIM1; p=${key}`, 'policy', 'pass'],
  ['i= of another domain', `${usual}; i=@other.test`, `v=DKIM1; p=${key}`, 'neutral', 'pass'],
  ['no version', usual.replace('v=1; ', ''), `v=DKIM1; p=${key}`, 'neutral', 'pass'],
  ['another version', usual.replace('v=1', 'v=2'), `v=DKIM1; p=${key}`, 'neutral', 'pass'],
  ['a tag twice', usual.replace('d=a.test', 'd=b.test; d=a.test'), `v=DKIM1; p=${key}`, 'neutral', 'pass'],
  ['i= below d=, which the key forbids', `${usual}; i=@x.a.test`, `v=DKIM1; t=s; p=${key}`, 'permerror', 'pass'],
])('%s', async (_what, tags, record, own, other) => {
  const text = signed(tags);
  expect([await ours(text, record), await theirs(text, record)]).toEqual([own, other]);
});
