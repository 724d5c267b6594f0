/** The public ARC validation suite whole (MIT, see its README), and our own cases. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createZone, type ZoneData } from '@postern/dns/testing';
import { readHeaderSection } from '@postern/mail-message';
import { describe, expect, it } from 'vitest';
import { verifyArc } from './verify.js';

interface Suite {
  readonly zones: Readonly<
    Record<string, Readonly<Record<string, readonly { type: 'TXT'; value: readonly string[] }[]>>>
  >;
  readonly vectors: readonly {
    readonly id: string;
    readonly group: string;
    readonly zone_ref: string;
    readonly description: string;
    readonly message_b64: string;
    readonly expect: { readonly arc: string | readonly string[] };
  }[];
}

const file = join(dirname(fileURLToPath(import.meta.url)), '../../../../../shared/vectors/arc-validate.json');
const present = existsSync(file);
const suite: Suite = present ? JSON.parse(readFileSync(file, 'utf8')) : { zones: {}, vectors: [] };
if (!present) console.warn(`SKIPPED: the public ARC suite (171 cases) is not at ${file}`);

function zoneOf(reference: string): ZoneData {
  const entries = Object.entries(suite.zones[reference] ?? {});
  return Object.fromEntries(entries.map(([name, records]) => [name, { TXT: records.map((record) => record.value) }]));
}

function verify(message: Buffer, zone: ZoneData) {
  const section = readHeaderSection(message);
  return verifyArc(section.fields, [message.subarray(section.bodyOffset)], { resolver: createZone(zone) });
}

describe.skipIf(!present)('public ARC suite', () => {
  it.each(suite.vectors.map((vector) => [vector.id, vector] as const))('%s', async (_, vector) => {
    const outcome = await verify(Buffer.from(vector.message_b64, 'base64'), zoneOf(vector.zone_ref));
    expect([vector.expect.arc].flat(), outcome.reason).toContain(outcome.result);
  });

  it('has all its cases', () => {
    expect(suite.vectors.length).toBe(171);
  });

  it('tells who sealed, and temperror from fail', async () => {
    const vector = suite.vectors.find(({ id }) => id === 'arc-cv_pass_i2_1');
    const message = Buffer.from(vector?.message_b64 ?? '', 'base64');
    const outcome = await verify(message, zoneOf(vector?.zone_ref ?? ''));
    expect(outcome.sets.map(({ instance, sealDomain }) => [instance, sealDomain])).toEqual([
      [1, 'example.org'],
      [2, 'example.org'],
    ]);
    expect(outcome.sets[0]?.authenticationResults).toMatch(/^lists\.example\.org;/);
    expect(await verify(message, { 'dummy._domainkey.example.org': 'servfail' })).toMatchObject({
      result: 'temperror',
    });
  });
});

it('a message without ARC fields is none', async () => {
  expect(await verify(Buffer.from('From: a@a.test\r\n\r\nx'), {})).toMatchObject({ result: 'none' });
});

it('more than fifty sets, or a gap, is fail', async () => {
  const seal = (i: number): string => `ARC-Seal: i=${i}; a=rsa-sha256; cv=none; d=a.test; s=s; b=AAAA\r\n`;
  expect(await verify(Buffer.from(`${seal(51)}\r\n`), {})).toMatchObject({ result: 'fail' });
  expect(await verify(Buffer.from(`${seal(2)}\r\n`), {})).toMatchObject({ result: 'fail' });
});
