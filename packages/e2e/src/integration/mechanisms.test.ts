/**
 * Every SASL mechanism against a whole cluster, spoken by a client written from the RFCs: right, wrong, unknown user; what stands in the trace; and 454 while
 * provisioning cannot answer. Mechanisms and their order are the operator's.
 */
import { createHash, createHmac, generateKeyPairSync, pbkdf2Sync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SmtpReply, SmtpSender } from '@postern/testkit/smtp';
import { afterAll, expect, test } from 'vitest';
import { password, speak, withMailWorld } from './mail-world.js';
import { freeze } from './process-trees.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const folder = mkdtempSync(join(tmpdir(), 'postern-issuer-'));
afterAll(() => rmSync(folder, { recursive: true }));
const jwksFile = join(folder, 'keys.json');
writeFileSync(
  jwksFile,
  JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'one' }] }),
);
const issuer = 'https://id.acme.test';

const offered = ['SCRAM-SHA-256', 'OAUTHBEARER', 'XOAUTH2', 'CRAM-MD5', 'DIGEST-MD5', 'PLAIN', 'LOGIN'];
const users = [
  { address: 'bob@acme.test', password },
  { address: 'old@acme.test', password, recoverablePassword: true },
];
const world = withMailWorld({
  config: {
    listeners: { submissions: { authMechanismsTls: offered } },
    oauthIssuers: [{ tenant: 'acme', issuer, audience: 'smtp', jwksFile }],
    tenants: [{ name: 'acme', domains: [{ name: 'acme.test', nextHop: 'hop' }], users }],
    limits: { errorsPerSession: 100 },
  },
});

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');
const textOf = (reply: SmtpReply): string => Buffer.from(reply.text, 'base64').toString('utf8');
const md5 = (data: string | Buffer): Buffer => createHash('md5').update(data).digest();

async function scram(sender: SmtpSender, user: string, secret: string): Promise<SmtpReply> {
  const bare = `n=${user},r=fyko+d2lbbFgONRv9qkxdawL`;
  const challenge = await sender.command(`AUTH SCRAM-SHA-256 ${base64(`n,,${bare}`)}`);
  if (challenge.code !== 334) return challenge;
  const first = textOf(challenge);
  const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(first) ?? [];
  const salted = pbkdf2Sync(secret, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const withoutProof = `c=${base64('n,,')},r=${nonce}`;
  const message = `${bare},${first},${withoutProof}`;
  const signature = createHmac('sha256', createHash('sha256').update(clientKey).digest()).update(message).digest();
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
  const last = await sender.command(base64(`${withoutProof},p=${proof.toString('base64')}`));
  if (last.code !== 334) return last;
  const serverKey = createHmac('sha256', salted).update('Server Key').digest();
  expect(textOf(last)).toBe(`v=${createHmac('sha256', serverKey).update(message).digest('base64')}`);
  return sender.command('');
}

async function cram(sender: SmtpSender, user: string, secret: string): Promise<SmtpReply> {
  const challenge = await sender.command('AUTH CRAM-MD5');
  const digest = createHmac('md5', secret).update(textOf(challenge)).digest('hex');
  return sender.command(base64(`${user} ${digest}`));
}

async function digest(sender: SmtpSender, user: string, secret: string): Promise<SmtpReply> {
  const asked = textOf(await sender.command('AUTH DIGEST-MD5'));
  const of = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(asked)?.[1] ?? '';
  const [realm, nonce, uri] = [of('realm'), of('nonce'), 'smtp/mail.test'];
  const key = md5(Buffer.concat([md5(`${user}:${realm}:${secret}`), Buffer.from(`:${nonce}:cn`)])).toString('hex');
  const answer = (method: string): string =>
    md5(`${key}:${nonce}:00000001:cn:auth:${md5(`${method}:${uri}`).toString('hex')}`).toString('hex');
  const said = `username="${user}",realm="${realm}",nonce="${nonce}",cnonce="cn",nc=00000001,qop=auth,digest-uri="${uri}",response=${answer('AUTHENTICATE')}`;
  const last = await sender.command(base64(said));
  if (last.code !== 334) return last;
  expect(textOf(last)).toBe(`rspauth=${answer('')}`);
  return sender.command('');
}

function token(user: string, audience: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + 120;
  const signed = `${part({ alg: 'ES256', kid: 'one' })}.${part({ iss: issuer, aud: audience, email: user, exp })}`;
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** `secret` is the audience of the token. */
const bearer =
  (mechanism: 'OAUTHBEARER' | 'XOAUTH2') =>
  async (sender: SmtpSender, user: string, secret: string, owner = user): Promise<SmtpReply> => {
    const header = mechanism === 'XOAUTH2' ? `user=${user}\x01` : `n,a=${user},\x01host=mail.test\x01`;
    const said = `${header}auth=Bearer ${token(owner, secret)}\x01\x01`;
    const answer = await sender.command(`AUTH ${mechanism} ${base64(said)}`);
    if (answer.code !== 334) return answer;
    expect(JSON.parse(textOf(answer))).toMatchObject({ schemes: 'bearer' });
    return sender.command(mechanism === 'XOAUTH2' ? '' : base64('\x01'));
  };

type Exchange = (sender: SmtpSender, user: string, secret: string) => Promise<SmtpReply>;
const mechanisms: readonly (readonly [name: string, exchange: Exchange, user: string, secret: string])[] = [
  ['SCRAM-SHA-256', scram, 'bob@acme.test', password],
  ['CRAM-MD5', cram, 'old@acme.test', password],
  ['DIGEST-MD5', digest, 'old@acme.test', password],
  ['OAUTHBEARER', bearer('OAUTHBEARER'), 'bob@acme.test', 'smtp'],
  ['XOAUTH2', bearer('XOAUTH2'), 'bob@acme.test', 'smtp'],
];

test('mechanisms are offered on TLS in the order configured, and not in plain', async () => {
  const secure = await speak(world.cluster, 'submissions');
  expect((await secure.command('EHLO client.test')).lines).toContain(`AUTH ${offered.join(' ')}`);
  secure.destroy();
});

test.each(mechanisms)('%s: right, wrong, unknown', { timeout: 60_000 }, async (name, exchange, user, secret) => {
  const sender = await speak(world.cluster, 'submissions');
  const wrong = await exchange(sender, user, `${secret}x`);
  expect(wrong.code).toBe(535);
  const unknown = await exchange(sender, 'nobody@acme.test', secret);
  expect(unknown.code).toBe(535);
  expect(unknown.text.replace(/\(.*\)/, '')).toBe(wrong.text.replace(/\(.*\)/, ''));
  expect(await exchange(sender, user, secret)).toMatchObject({ code: 235 });
  expect(await sender.command(`MAIL FROM:<${user}>`)).toMatchObject({ code: 250 });
  sender.destroy();
  const session = /\((\w{26})\)/.exec(wrong.text)?.[1] ?? '';
  const traced = async (): Promise<string> => (await world.cluster.ctl('trace', session)).stdout;
  await expect.poll(traced, { timeout: 20_000 }).toMatch(new RegExp(`edge\\.login\\.refused.*mechanism=${name}`));
  expect(await traced()).toContain(name.includes('AUTH') ? 'token: claim aud is not as expected' : 'wrong password');
});

test.each(['OAUTHBEARER', 'XOAUTH2'] as const)('%s: a token of somebody else is told as that', async (name) => {
  const sender = await speak(world.cluster, 'submissions');
  const refused = await bearer(name)(sender, 'old@acme.test', 'smtp', 'bob@acme.test');
  expect(refused.code).toBe(535);
  sender.destroy();
  const session = /\((\w{26})\)/.exec(refused.text)?.[1] ?? '';
  await expect
    .poll(async () => (await world.cluster.ctl('trace', session)).stdout, { timeout: 20_000 })
    .toContain('token: its claim email names another user than the login');
});

test.each(['CRAM-MD5', 'DIGEST-MD5'])('%s is not for users whose password is not kept', async (name) => {
  const sender = await speak(world.cluster, 'submissions');
  const exchange = name === 'CRAM-MD5' ? cram : digest;
  expect(await exchange(sender, 'bob@acme.test', password)).toMatchObject({ code: 535 });
  sender.destroy();
});

test('while provisioning is silent no login is called wrong', { timeout: 120_000 }, async () => {
  const thaw = await freeze(world.cluster, 'provisioning');
  try {
    for (const [, exchange, user, secret] of mechanisms) {
      const sender = await speak(world.cluster, 'submissions');
      expect(await exchange(sender, user, secret)).toMatchObject({ code: 454 });
      sender.destroy();
    }
  } finally {
    thaw();
  }
});
