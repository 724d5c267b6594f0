import { describe, expect, it } from 'vitest';
import type { CredentialAnswer } from '../credentials.js';
import type { SaslContext } from './mechanism.js';
import { scramSha256, scramSha256Plus } from './scram.js';

/** RFC 7677 section 3. */
const example = {
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
  proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverProof: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};
const nonce = example.clientNonce + example.serverNonce;
const serverFirst = `r=${nonce},s=${example.salt},i=4096`;
const exporter = Buffer.from('0123456789abcdef0123456789abcdef');

function contextOf(changes: Partial<SaslContext> = {}): SaslContext {
  return {
    hostname: 'mail.test',
    offersBinding: true,
    binding: (type) => (type === 'tls-exporter' ? exporter : undefined),
    nonce: () => example.serverNonce,
    material: async () => ({
      kind: 'material',
      salt: Buffer.from(example.salt, 'base64'),
      iterations: 4_096,
      available: true,
    }),
    ...changes,
  };
}

async function exchange(mechanism: typeof scramSha256, first: string, second: string, context = contextOf()) {
  const sent: string[] = [];
  const responses = [Buffer.from(second), Buffer.alloc(0)];
  const result = await mechanism(
    Buffer.from(first),
    async (data) => {
      sent.push(data.toString());
      return responses.shift() ?? 'cancelled';
    },
    context,
  );
  return { result, sent };
}

const final = (binding: string): string =>
  `c=${Buffer.from(binding, 'latin1').toString('base64')},r=${nonce},p=${example.proof}`;

describe('SCRAM-SHA-256', () => {
  it('speaks the example of RFC 7677', async () => {
    const { result, sent } = await exchange(scramSha256, `n,,n=user,r=${example.clientNonce}`, final('n,,'));
    if (result.kind !== 'exchanged') throw new Error(result.kind);
    expect(result).toMatchObject({ username: 'user' });
    expect(result.parameters.authMessage?.toString()).toBe(
      `n=user,r=${example.clientNonce},${serverFirst},c=biws,r=${nonce}`,
    );
    expect(result.parameters.clientProof?.toString('base64')).toBe(example.proof);
    const answer: CredentialAnswer = {
      kind: 'verified',
      user: 'user',
      tenant: 't',
      cached: false,
      serverProof: Buffer.from(example.serverProof, 'base64'),
    };
    await result.finish?.(answer);
    expect(sent).toEqual([serverFirst, `v=${example.serverProof}`]);
  });

  it.each([
    ['no GS2 header', `n=user,r=${example.clientNonce}`, final('n,,'), 'malformed'],
    ['a mandatory extension', `n,,m=x,n=user,r=${example.clientNonce}`, final('n,,'), 'malformed'],
    ['a bare equals sign in the name', `n,,n=us=er,r=${example.clientNonce}`, final('n,,'), 'malformed'],
    ['a short nonce', 'n,,n=user,r=abc', final('n,,'), 'malformed'],
    ['a control character in the name', `n,,n=us\ner,r=${example.clientNonce}`, final('n,,'), 'malformed'],
    ['binding without -PLUS', `p=tls-exporter,,n=user,r=${example.clientNonce}`, final('n,,'), 'malformed'],
    ['a client that was told there is no -PLUS', `y,,n=user,r=${example.clientNonce}`, final('y,,'), 'refused'],
    ['an authorization identity of another', `n,a=boss,n=user,r=${example.clientNonce}`, final('n,a=boss,'), 'refused'],
    ['another GS2 header at the end', `n,,n=user,r=${example.clientNonce}`, final('y,,'), 'refused'],
    [
      'another nonce at the end',
      `n,,n=user,r=${example.clientNonce}`,
      final('n,,').replace(nonce, `${nonce}x`),
      'refused',
    ],
    ['no proof', `n,,n=user,r=${example.clientNonce}`, `c=biws,r=${nonce}`, 'malformed'],
  ])('%s', async (_what, first, second, kind) => {
    expect((await exchange(scramSha256, first, second)).result.kind).toBe(kind);
  });

  it('is taken from a client without binding where -PLUS is not offered', async () => {
    const context = contextOf({ offersBinding: false });
    const { result } = await exchange(scramSha256, `y,,n=user,r=${example.clientNonce}`, final('y,,'), context);
    expect(result.kind).toBe('exchanged');
  });

  it('reads commas and equals signs of names', async () => {
    const { result } = await exchange(scramSha256, `n,,n=a=2Cb=3Dc,r=${example.clientNonce}`, final('n,,'));
    expect(result).toMatchObject({ kind: 'exchanged', username: 'a,b=c' });
  });

  it('is unavailable, not wrong, while the salt cannot be had', async () => {
    const context = contextOf({ material: async () => ({ kind: 'unavailable', reason: 'away' }) });
    const { result } = await exchange(scramSha256, `n,,n=user,r=${example.clientNonce}`, '', context);
    expect(result).toEqual({ kind: 'unavailable', username: 'user', reason: 'away' });
  });
});

describe('SCRAM-SHA-256-PLUS', () => {
  const first = `p=tls-exporter,,n=user,r=${example.clientNonce}`;

  it('is tied to the connection', async () => {
    const { result } = await exchange(scramSha256Plus, first, final(`p=tls-exporter,,${exporter.toString('latin1')}`));
    expect(result).toMatchObject({ kind: 'exchanged', channelBinding: exporter });
  });

  it.each([
    [
      'data of another connection',
      first,
      `p=tls-exporter,,${exporter.toString('latin1').replace('0', '1')}`,
      'refused',
    ],
    [
      'a type this connection has not',
      first.replace('exporter', 'server-end-point'),
      'p=tls-server-end-point,,',
      'refused',
    ],
    ['an unknown type', first.replace('exporter', 'unique'), 'p=tls-unique,,', 'malformed'],
    ['no binding', `n,,n=user,r=${example.clientNonce}`, 'n,,', 'malformed'],
  ])('%s', async (_what, said, binding, kind) => {
    expect((await exchange(scramSha256Plus, said, final(binding))).result.kind).toBe(kind);
  });
});
