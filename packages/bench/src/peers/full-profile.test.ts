/** The proof of profile full: what is missing is named, one thing at a time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { DkimSigner, readSigningKey } from '@postern/mail-auth';
import { readHeaderSection } from '@postern/mail-message';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyLists } from '../empty-lists.js';
import { makeKeyPair, signedLetter } from '../letters.js';
import { fullProfile, missingChecks, missingInMessage, missingQuestions } from './full-profile.js';

const theirs = makeKeyPair('client');
const ours = makeKeyPair('gateway');
const zone = createZone(
  Object.fromEntries(
    [theirs, ours].map(({ selector, record }) => [`${selector}._domainkey.sender.test`, { TXT: [record] }]),
  ),
);
const results = 'Authentication-Results: mx.test; spf=pass; dkim=pass; dmarc=pass\r\n';
const letter = signedLetter('sender.test', 'user0@bench.test', 10_240, theirs);

function signedByUs(message: Buffer): Buffer {
  const { fields, bodyOffset } = readHeaderSection(message);
  const signer = new DkimSigner(fields, {
    keys: [readSigningKey('sender.test', ours.selector, ours.pem)],
    clock: systemClock,
  });
  signer.update(message.subarray(bodyOffset));
  return Buffer.concat([Buffer.from(signer.finish().join(''), 'latin1'), message]);
}

const withResults = (text: string): Buffer => signedByUs(Buffer.concat([Buffer.from(text), letter]));
const changed = (message: Buffer): Buffer => Buffer.from(message.toString('latin1').replace('quick', 'slow!'));

test.each([
  ['all is there', withResults(results), []],
  ['no DMARC', withResults(results.replace('dmarc=pass', 'dmarc=fail')), ['no dmarc=pass in Authentication-Results']],
  ['not signed by us', Buffer.concat([Buffer.from(results), letter]), ['signature gateway is not there']],
  ['body changed', changed(withResults(results)), ['signature client is fail', 'signature gateway is fail']],
])('%s', async (_what, arrived, missing) => {
  expect(await missingInMessage(arrived, { zone })).toEqual(missing);
});

const lines = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([labels, count]) => {
      const [check, outcome] = labels.split(' ');
      return `postern_policy_check_total{check="${check}",outcome="${outcome}"} ${count}\n`;
    })
    .join('');
const every = { 'spf pass': 3, 'dkim pass': 3, 'dmarc pass': 3, 'dnsbl clear': 1, 'dnsbl unusable': 0 };

test.each([
  ['every check as it must be', every, []],
  ['a list that does not count', { ...every, 'dnsbl unusable': 1 }, ['dnsbl found unusable']],
  ['a check that was not made', { ...every, 'dmarc pass': 0 }, ['dmarc was not made']],
])('%s', (_what, counts, missing) => {
  expect(missingChecks(lines(counts))).toEqual(missing);
});

test('the test points of a list are no question about the client', () => {
  const asked = (address: string, list: string) => {
    const name = `${address}.${list}`;
    return { name, rawName: name, type: 'A', transport: 'udp' as const };
  };
  const tests = ['bl1.test', 'bl2.test', 'bl3.test'].flatMap((list) => [
    asked('1.0.0.127', list),
    asked('2.0.0.127', list),
  ]);
  const two = [asked('1.1.0.127', 'bl1.test'), asked('1.1.0.127', 'bl3.test')];
  expect(missingQuestions([...tests, ...two])).toEqual(['bl2.test was not asked about the client']);
});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-bench-profile-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the profile publishes what its proof asks for', async () => {
  const { zone: published, letter: make } = await fullProfile(folder);
  expect(published).toMatchObject(emptyLists(['bl1.test', 'bl2.test', 'bl3.test']));
  const arrived = make?.(10_240).data ?? Buffer.alloc(0);
  const missing = await missingInMessage(arrived, { zone: createZone(published) });
  expect(missing.filter((what) => what.startsWith('signature'))).toEqual(['signature gateway is not there']);
});
