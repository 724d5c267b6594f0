import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { Doubles } from './testing/doubles.js';

test('a port that is taken is said with the listener and its field, and is no failed handshake', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const bound = other.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  const doubles = new Doubles();
  await expect(doubles.listen({ name: 'mx', role: 'mx', host: '127.0.0.1', port })).rejects.toThrow(
    `address of listener mx in edge.listeners: cannot listen on 127.0.0.1:${port}: another program has it (EADDRINUSE)`,
  );
  expect(doubles.tlsFailures).toEqual([]);
  await new Promise((resolve) => other.close(resolve));
});

test('settings for another role are told once, and what is stricter of the two holds', async () => {
  const doubles = new Doubles();
  const settings = { name: 'submission', role: 'mx', requireTls: false, requireAuth: false };
  doubles.setSnapshot({ listeners: [settings] });
  const listener = await doubles.listen({ name: 'submission', role: 'submission' });
  await listener.update();
  expect(doubles.refusedSettings).toEqual([
    'listeners.submission.role: "mx" is not the role of the listener on the pod; expected "submission", its role in edge.listeners',
  ]);
  expect(doubles.snapshot?.listener(listener.facts)).toMatchObject({
    requireTls: true,
    requireAuth: true,
    mechanismsTls: expect.arrayContaining(['PLAIN']),
  });
  listener.destroy();
});

test('a listener that demands TLS without a certificate says so', async () => {
  const doubles = new Doubles();
  doubles.tls = { certificates: [], ticketSeed: undefined };
  doubles.setSnapshot({ listeners: [{ name: 'submission', role: 'submission', requireTls: true }] });
  const listener = await doubles.listen({ name: 'submission', role: 'submission' });
  expect(doubles.refusedSettings).toEqual([
    expect.stringMatching(
      /^listeners\.submission\.requireTls: is on, but the pod has no certificate; expected edge\.tls/,
    ),
  ]);
  listener.destroy();
});
