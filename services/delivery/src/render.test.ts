import { generateKeyPairSync } from 'node:crypto';
import type { BodyStore } from '@postern/body-store';
import { FakeClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { verifyDkim } from '@postern/mail-auth';
import { readHeaderSection } from '@postern/mail-message';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { HeaderEditKind, Rendering } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { describe, expect, test } from 'vitest';
import { createRenderer } from './render.js';
import type { SecretResult } from './secrets.js';
import { createSigning, signingDomains } from './signing.js';

const message = Buffer.from(
  `From: Alice <alice@acme.test>\r\nTo: bob@else.test\r\nSubject: hi\r\n\r\n${'line of text\r\n'.repeat(20_000)}`,
);
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`;
const clock = new FakeClock();
const domains = signingDomains(
  Snapshot.fromPartial({
    domains: [{ name: 'acme.test', tenant: 'acme', dkimKeys: [{ selector: 's1', secret: 'dkim.acme.s1' }] }],
  }),
);

async function* chunked(): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < message.length; offset += 100_000) yield message.subarray(offset, offset + 100_000);
}
const unused = (): never => {
  throw new Error('not used by the renderer');
};
const bodies: BodyStore = {
  read: chunked,
  write: unused,
  put: unused,
  stat: () => Promise.resolve({ size: message.length, storedAtMs: 0, envelope: new Uint8Array() }),
  remove: unused,
  removeDropped: unused,
  list: unused,
};

const renderer = (secret: SecretResult) =>
  createRenderer({ bodies, clock, signing: createSigning(() => domains, { get: () => Promise.resolve(secret) }) });
const signed = renderer({ kind: 'value', value: Buffer.from(pem) });

const item = (place: 'inline' | 'bodyId', submittingTenant: string): Item =>
  Item.fromPartial({
    queueId: 'Q',
    tenant: 'acme',
    submittingTenant,
    size: message.length,
    rendering: { edits: [{ kind: HeaderEditKind.PREPEND, name: 'Received', value: 'from a by b' }] },
    body: { place: place === 'inline' ? { $case: 'inline', value: message } : { $case: 'bodyId', value: 'Q' } },
  });

async function bytesOf(prepared: Awaited<ReturnType<typeof signed.prepare>>): Promise<Buffer> {
  if (prepared.kind !== 'ready') throw new Error(prepared.reason);
  const parts: Buffer[] = [];
  for await (const chunk of prepared.open().chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

test.each(['inline', 'bodyId'] as const)(
  'a submitted message (%s) leaves edited and with a signature that verifies',
  async (place) => {
    const bytes = await bytesOf(await signed.prepare(item(place, 'acme')));
    expect(bytes.toString('latin1', 0, 15)).toBe('DKIM-Signature:');
    expect(bytes.includes('Received: from a by b\r\nFrom: Alice')).toBe(true);
    const { fields, bodyOffset } = readHeaderSection(bytes);
    const resolver = createZone({ 's1._domainkey.acme.test': { TXT: [record] } });
    const [result] = await verifyDkim(fields, [bytes.subarray(bodyOffset)], { resolver, clock });
    expect(result).toMatchObject({ result: 'pass', domain: 'acme.test', selector: 's1' });
  },
);

test.each(['inline', 'bodyId'] as const)('words go before and behind the subject (%s)', async (place) => {
  const edits = [{ kind: HeaderEditKind.SURROUND, name: 'Subject', value: '[EXTERNAL] ', behind: ' (ä)' }];
  const prepared = await signed.prepare({ ...item(place, ''), rendering: Rendering.fromPartial({ edits }) });
  const bytes = await bytesOf(prepared);
  expect(bytes.includes('\r\nSubject: [EXTERNAL] hi =?utf-8?B?KMOkKQ==?=\r\n\r\nline')).toBe(true);
  expect(prepared.kind === 'ready' && prepared.open().size >= bytes.length).toBe(true);
});

test.each([
  ['incoming mail', ''],
  ['mail of a tenant that does not own the domain', 'other'],
])('%s is not signed and its body keeps its bytes', async (_what, tenant) => {
  for (const place of ['inline', 'bodyId'] as const) {
    const bytes = await bytesOf(await signed.prepare(item(place, tenant)));
    expect(bytes.toString('latin1', 0, 9)).toBe('Received:');
    expect(bytes.subarray(bytes.length - message.length).equals(message)).toBe(true);
  }
});

describe('SIZE counts what is added', () => {
  const added = [
    { kind: HeaderEditKind.PREPEND, name: 'Received', value: `from a by b (${'a long word '.repeat(20)})` },
    { kind: HeaderEditKind.APPEND, name: 'X-Name', value: 'välue' },
  ];
  test.each([
    ['inline', 'acme', ''],
    ['inline', '', ''],
    ['bodyId', 'acme', ''],
    ['bodyId', '', ''],
    ['bodyId', 'other', ''],
    ['bodyId', '', 'replaced'],
  ] as const)('%s, submitted by %j, body %j', async (place, tenant, replacedBodyId) => {
    const sent = item(place, tenant);
    const edited = {
      ...sent,
      size: replacedBodyId === '' ? sent.size : 1,
      rendering: { edits: added, replacedBodyId },
    };
    const prepared = await signed.prepare(Item.fromPartial(edited));
    const bytes = await bytesOf(prepared);
    expect(prepared.kind === 'ready' && prepared.open().size).toBe(bytes.length);
    expect(bytes.length).toBeGreaterThan(message.length + 250);
  });

  test('what may be there already counts as if it were not, so that no more is sent than was said', async () => {
    const rendering = { edits: [{ kind: HeaderEditKind.ADD_IF_ABSENT, name: 'Subject', value: 'hi' }] };
    const prepared = await signed.prepare(Item.fromPartial({ ...item('bodyId', ''), rendering }));
    expect(prepared.kind === 'ready' && prepared.open().size).toBe(message.length + 'Subject: hi\r\n'.length);
  });
});

test.each([{ kind: 'away' }, { kind: 'missing' }, { kind: 'value', value: Buffer.from('no key') }] as const)(
  'a key that cannot be used (%j) defers, it does not send unsigned',
  async (secret) => {
    expect((await renderer(secret).prepare(item('inline', 'acme'))).kind).toBe('later');
  },
);
