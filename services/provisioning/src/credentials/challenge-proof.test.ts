import { expect, test } from 'vitest';
import { proveCram, proveDigest } from './challenge-proof.js';

test('CRAM-MD5 is that of RFC 2195 section 2', () => {
  const challenge = Buffer.from('<1896.697170952@postoffice.reston.mci.net>');
  const digest = Buffer.from('b913a602c7eda7a495b4e6e7334d3890', 'hex');
  expect(proveCram('tanstaaftanstaaf', { challenge, digest }).right).toBe(true);
  expect(proveCram('tanstaaf', { challenge, digest }).right).toBe(false);
  expect(proveCram('tanstaaftanstaaf', { challenge, digest: digest.subarray(1) }).right).toBe(false);
});

test('DIGEST-MD5 is that of RFC 2831 section 4, with the proof of the server', () => {
  const said = {
    realm: 'elwood.innosoft.com',
    nonce: 'OA6MG9tEQGm2hh',
    cnonce: 'OA6MHXh6VqTrRk',
    nc: '00000001',
    'digest-uri': 'imap/elwood.innosoft.com',
  };
  const parameters = Object.fromEntries(Object.entries(said).map(([name, value]) => [name, Buffer.from(value)]));
  const response = Buffer.from('d388dad90d4bbd760a152321f2143af7', 'hex');
  const proof = proveDigest('chris', 'secret', { ...parameters, response });
  expect(proof.right).toBe(true);
  expect(proof.serverProof.toString('hex')).toBe('ea40f60335c427b5527b84dbabcdfffd');
  expect(proveDigest('chris', 'other', { ...parameters, response })).toMatchObject({
    right: false,
    serverProof: Buffer.alloc(0),
  });
});
