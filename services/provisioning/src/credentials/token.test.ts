import type { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { withFolders } from '@postern/testkit';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenVerifier, type Issuer, tokenForAnother } from './token.js';

const now = Date.parse('2026-01-02T03:04:05Z');
const seconds = now / 1_000;
const folders = withFolders();
const verify = createTokenVerifier();
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let others: Awaited<ReturnType<typeof generateKeyPair>>;
let issuer: Issuer;
let keySet: string;

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
  others = await generateKeyPair('ES256');
  keySet = JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256' }] });
  const jwksFile = join(await folders.make('jwks'), 'keys.json');
  writeFileSync(jwksFile, keySet);
  issuer = {
    tenant: 'acme',
    issuer: 'https://id.acme.test',
    audience: 'smtp',
    userClaim: 'email',
    jwksUrl: '',
    jwksFile,
  };
});

interface Claims {
  readonly iss?: string;
  readonly aud?: string;
  readonly email?: unknown;
  readonly expiresIn?: number;
  readonly key?: webcrypto.CryptoKey;
}

function token({
  iss = 'https://id.acme.test',
  aud = 'smtp',
  email = 'a@acme.test',
  expiresIn = 60,
  key,
}: Claims = {}) {
  return new SignJWT({ email })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(iss)
    .setAudience(aud)
    .setExpirationTime(seconds + expiresIn)
    .sign(key ?? keys.privateKey);
}

describe('tokens', () => {
  it('are right for the login they name', async () => {
    expect(await verify(await token({ email: 'A@ACME.test' }), [issuer], now)).toEqual({
      kind: 'right',
      user: 'a@acme.test',
      tenant: 'acme',
      claim: 'email',
    });
  });

  it.each([
    ['names another user', { user: 'b@acme.test' }, 'its claim email names another user than the login'],
    ['is of another tenant', { tenant: 'beta' }, 'its issuer is not of the tenant of the user'],
    ['is for the login', {}, undefined],
  ])('that is right and %s', (_what, change, fault) => {
    const right = { kind: 'right', user: 'a@acme.test', tenant: 'acme', claim: 'email', ...change } as const;
    expect(tokenForAnother(right, { address: 'a@acme.test', tenant: 'acme' })).toBe(fault);
  });

  it.each<[string, string, () => Promise<string>]>([
    ['of another issuer', 'unknown issuer', () => token({ iss: 'https://evil.test' })],
    ['for another audience', 'claim aud is not as expected, expected "smtp"', () => token({ aud: 'imap' })],
    ['that expired', 'expired', () => token({ expiresIn: -60 })],
    ['signed with another key', 'wrong signature', () => token({ key: others.privateKey })],
    ['without a login', 'no login in claim email', () => token({ email: 5 })],
    [
      'whose claims were changed',
      'wrong signature',
      async () =>
        (await token()).replace(
          /\.[^.]+\./,
          `.${Buffer.from('{"iss":"https://id.acme.test"}').toString('base64url')}.`,
        ),
    ],
    [
      'that is unsigned',
      'its algorithm is not allowed',
      async () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await token()).split('.')[1]}.`,
    ],
    ['that is none', 'not a token with an issuer (claim iss)', async () => 'abc'],
  ])('%s are wrong: %s', async (_what, reason, made) => {
    expect(await verify(await made(), [issuer], now)).toEqual({ kind: 'wrong', reason });
  });

  it('signed with a shared secret are wrong', async () => {
    const forged = await new SignJWT({ email: 'a@acme.test' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(issuer.issuer)
      .setAudience('smtp')
      .setExpirationTime(seconds + 60)
      .sign(Buffer.from(keySet));
    expect(await verify(forged, [issuer], now)).toMatchObject({ kind: 'wrong' });
  });
});

describe('keys at a URL', () => {
  let status = 200;
  let isSilent = false;
  const server = createServer((_request, response) => {
    if (!isSilent) response.writeHead(status).end(keySet);
  });
  let jwksUrl = '';
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    jwksUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/keys`;
  });
  afterAll(() => server.close());
  const remote = (): Issuer => ({ ...issuer, jwksUrl, jwksFile: undefined });

  it('are fetched; not being able to is no wrong token', async () => {
    status = 500;
    await expect(verify(await token(), [remote()], now)).rejects.toMatchObject({ id: 'credentials-unavailable' });
    const gone = { ...remote(), jwksUrl: 'http://127.0.0.1:1/keys' };
    await expect(verify(await token(), [gone], now)).rejects.toMatchObject({ id: 'credentials-unavailable' });
    status = 200;
    expect(await createTokenVerifier()(await token(), [remote()], now)).toMatchObject({ kind: 'right' });
  });

  it('of an issuer that is silent are unavailable after three seconds; keys fetched before go on', async () => {
    const before = createTokenVerifier();
    expect(await before(await token(), [remote()], now)).toMatchObject({ kind: 'right' });
    isSilent = true;
    try {
      const started = performance.now();
      const asked = createTokenVerifier()(await token(), [remote()], now);
      await expect(asked).rejects.toMatchObject({ id: 'credentials-unavailable' });
      expect(performance.now() - started).toBeLessThan(4_500);
      expect(await before(await token(), [remote()], now)).toMatchObject({ kind: 'right' });
    } finally {
      isSilent = false;
      server.closeAllConnections();
    }
  });
});
