/**
 * Checks of the message in a running cluster: a signed body of many megabytes is hashed on a thread, DomainKeys is verified where it is on, the
 * greylist knows the signer, and a rule knows the autonomous system of the client.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { createHash, createSign, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oneNetwork } from '@postern/testkit';
import { afterAll, expect, test } from 'vitest';
import { withMailWorld } from './mail-world.js';

const dir = mkdtempSync(join(tmpdir(), 'postern-e2e-asn-'));
const asnDatabase = join(dir, 'asn.mmdb');
writeFileSync(asnDatabase, oneNetwork(127, { autonomous_system_number: 64_500 }));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const p = (key: typeof rsa.publicKey): string => key.export({ type: 'spki', format: 'der' }).toString('base64');
const raw = ed25519.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');

const world = withMailWorld({
  config: {
    asnDatabase,
    rules: [
      {
        id: 'systems',
        event: 'mail',
        when: 'asn == 64500 && sender.user == "system"',
        then: [{ reject: { text: 'not from that system' } }],
      },
    ],
    checks: { dkim: { onFail: 'reject' }, domainkeys: { enabled: true, onFail: 'reject' } },
    tenants: [
      {
        name: 'acme',
        domains: [
          { name: 'open.test', nextHop: 'hop', validateRecipients: false },
          {
            name: 'acme.test',
            nextHop: 'hop',
            validateRecipients: false,
            checks: { greylist: { enabled: true, delay: '0s', signature: true, autoAllow: 0 } },
          },
        ],
      },
    ],
  },
  zone: {
    'new._domainkey.plain.test': { TXT: [`v=DKIM1; k=ed25519; p=${raw}`] },
    'old._domainkey.plain.test': { TXT: [`k=rsa; p=${p(rsa.publicKey)}`] },
  },
});

const header = (from: string): string => `From: ${from}\r\nSubject: hello\r\n`;

function withDkim(from: string, body: string): Buffer {
  const hash = createHash('sha256').update(body).digest('base64');
  const field = `DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d=plain.test; s=new; h=from:subject; bh=${hash}; b=`;
  const digest = createHash('sha256')
    .update(header(from) + field)
    .digest();
  return Buffer.from(
    `${field}${sign(null, digest, ed25519.privateKey).toString('base64')}\r\n${header(from)}\r\n${body}`,
  );
}

function withDomainKeys(from: string, body: string): Buffer {
  const b = createSign('sha1')
    .update(`${header(from)}\r\n${body}`)
    .sign(rsa.privateKey, 'base64');
  const field = `DomainKey-Signature: a=rsa-sha1; c=simple; q=dns; d=plain.test; s=old; b=${b}`;
  return Buffer.from(`${field}\r\n${header(from)}\r\n${body}`);
}

async function mail(from: string, to: string, data: Buffer, at = 0): Promise<string> {
  const sender = await world.speak('mx', { localAddress: `127.0.${at}.1` });
  try {
    const reply = await sender.send({ from, to: [to], data });
    return `${reply.code} ${reply.text}`;
  } finally {
    sender.destroy();
  }
}

async function policyMetric(line: RegExp): Promise<number> {
  const policy = (await world.cluster.run()).services.find(({ name }) => name === 'policy');
  const text = await (await fetch(new URL('/metrics', policy?.metrics))).text();
  return Number(line.exec(text)?.[1] ?? 0);
}

test('a signed body of 8 MB is hashed on a thread; changed on the way it is refused', async () => {
  const from = 'big@plain.test';
  const message = withDkim(
    from,
    'seventy characters of text, which is what a line of a letter often has\r\n'.repeat(110_000),
  );
  expect(await mail(from, 'x@open.test', message)).toMatch(/^250 /);
  const changed = Buffer.from(message);
  changed.write('S', changed.length - 200);
  expect(await mail(from, 'x@open.test', changed)).toMatch(/^550 5\.7\.20 /);
  const onThreads = /^postern_policy_large_bodies_total\{how="thread"\} (\d+)/m;
  expect(await policyMetric(onThreads)).toBe(2);
});

test('DomainKeys holds, and does not', async () => {
  const from = 'old@plain.test';
  const message = withDomainKeys(from, 'text\r\n');
  expect(await mail(from, 'x@open.test', message)).toMatch(/^250 /);
  const changed = Buffer.from(message.toString().replace('\r\ntext', '\r\nother'));
  expect(await mail(from, 'x@open.test', changed)).toMatch(/^550 5\.7\.20 .*DomainKeys/);
  expect(await policyMetric(/^postern_policy_check_total\{check="domainkeys",outcome="pass"\} (\d+)/m)).toBe(1);
});

test('the greylist knows the signer from whatever address', async () => {
  const from = 'grey@plain.test';
  const message = withDkim(from, 'text\r\n');
  expect(await mail(from, 'x@acme.test', message, 1)).toMatch(/^451 4\.7\.1 Greylisted/);
  expect(await mail(from, 'x@acme.test', message, 2)).toMatch(/^250 /);
  const unsigned = Buffer.from(`${header(from)}\r\ntext\r\n`);
  expect(await mail(from, 'y@acme.test', unsigned, 3)).toMatch(/^451 4\.7\.1 /);
  expect(await mail(from, 'y@acme.test', unsigned, 4)).toMatch(/^451 4\.7\.1 /);
});

test('a rule names the autonomous system', async () => {
  const data = Buffer.from(`${header('system@plain.test')}\r\ntext\r\n`);
  expect(await mail('system@plain.test', 'x@open.test', data)).toMatch(/^550 .*not from that system/);
  expect(await mail('other@plain.test', 'x@open.test', data)).toMatch(/^250 /);
});
