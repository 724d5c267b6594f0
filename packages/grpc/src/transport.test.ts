import { readFileSync } from 'node:fs';
import { PosternError } from '@postern/errors';
import { describe, expect, test } from 'vitest';
import { targetOf } from './client.js';
import { Client, credentials } from './grpc-js.js';
import { unary } from './handlers.js';
import { balanced, queueClient, serve, testCertificates } from './testing/queue-ground.js';

test('TLS with client certificates', async () => {
  const pki = testCertificates();
  const { port } = await serve(
    { ledger: unary(() => balanced) },
    { tls: { cert: pki.cert, key: pki.key, clientCa: pki.cert } },
  );
  const address = `localhost:${port}`;
  const known = queueClient(port, { address, tls: { ca: pki.cert, cert: pki.cert, key: pki.key } });
  expect((await known.ledger('x')).balanced).toBe(true);
  const unknown = queueClient(port, { address, tls: { ca: pki.cert } });
  await expect(unknown.ledger('x', { deadlineMs: 1000 })).rejects.toBeInstanceOf(PosternError);
});

test.each([
  ['name:1', 'dns:///name:1'],
  ['dns:///name:1', 'dns:///name:1'],
  [['10.0.0.1:1', '10.0.0.2:1'], 'ipv4:10.0.0.1:1,10.0.0.2:1'],
  [['[::1]:1', '[::2]:1'], 'ipv6:[::1]:1,[::2]:1'],
])('targetOf(%j) = %s', (address, target) => expect(targetOf(address)).toBe(target));

test.each([[[]], [['a:1', 'b:1']], [['10.0.0.1:1', '[::1]:1']]])('targetOf(%j) is refused', (address) => {
  expect(() => targetOf(address)).toThrow(PosternError);
});

describe('reflection', () => {
  test('is offered from a descriptor set, and a broken one is refused at the start', async () => {
    const descriptorSet = readFileSync(new URL('../../../proto/baseline.binpb', import.meta.url));
    const { port } = await serve({}, { descriptorSet });
    expect(await reflectedServices(port)).toContain('postern.queue.v1.QueueService');
    for (const broken of [descriptorSet.subarray(1), descriptorSet.subarray(0, 2), Buffer.from([0x0a, 0xff])]) {
      await expect(serve({}, { descriptorSet: broken })).rejects.toMatchObject({ id: 'config-invalid' });
    }
  });
});

/** list_services of grpc.reflection.v1: field 7 of the request; names are read from the answer as text. */
async function reflectedServices(port: number): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const stream = client.makeBidiStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes.toString('latin1'),
    );
    const answer = new Promise<string>((resolve, reject) => {
      stream.once('data', (text: string) => resolve(text));
      stream.once('error', reject);
    });
    stream.write(Buffer.from([0x3a, 0x01, 0x2a]));
    const text = await answer;
    stream.end();
    return text;
  } finally {
    client.close();
  }
}
