/** TLS settings that cannot be carried out leave those before, with certificates as they are now. */
import { expect, test } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { certificate, commonName, main, material, shake, withTlsFront } from '../testing/tls-front.js';

const { listen } = withTlsFront();
const two = certificate('two', ['mx.two.test']);

test('a certificate nobody has leaves certificate and bounds as they were', async () => {
  const doubles = new Doubles();
  doubles.tls = material(main, two);
  const listener = await listen(doubles, { certificates: ['two'], minVersion: 'TLSv1.3' });
  const set = (tls: object): Promise<void> => {
    doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', tls }] });
    return listener.update();
  };
  const shown = async (options: object = {}): Promise<string> => {
    const shaken = await shake(listener.port, options).catch(() => undefined);
    const name = shaken === undefined ? 'none' : commonName(shaken);
    shaken?.socket.destroy();
    return name;
  };
  await set({ certificates: ['nope'], minVersion: 'TLSv1.2' });
  expect(doubles.refusedSettings).toEqual([expect.stringMatching(/certificates\[0\]: "nope" is not allowed/)]);
  expect(listener.disagreements).toHaveLength(1);
  expect(await shown()).toBe('mx.two.test');
  expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('none');

  const fresh = certificate('two', ['mx.new.test']);
  doubles.tls = material(main, fresh);
  await listener.update();
  expect(await shown()).toBe('mx.new.test');
  expect(listener.certificates).toEqual([fresh]);

  await set({ certificates: ['default', 'main'], minVersion: 'TLSv1.2' });
  expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('none');
  await set({ certificates: ['main'], minVersion: 'TLSv1.2' });
  expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('mx.one.test');
});

test('a listener that refuses a certificate does not show it', async () => {
  const doubles = new Doubles();
  const before = certificate('two', ['mx.two.test'], 'rsa');
  doubles.tls = material(before);
  const bounds = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };
  const listener = await listen(doubles, bounds);
  doubles.tls = material(two);
  await listener.update();
  expect(listener.certificates).toEqual([before]);
});
