/** TLS settings that cannot be carried out leave those before, with certificates as they are now. */
import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { certificate, commonName, main, material, shake, withTlsFront } from '../testing/tls-front.js';
import { ticketEpochMs } from './ticket-keys.js';

const { listen } = withTlsFront();
const two = certificate('two', ['mx.two.test']);
const rsaOnly = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };

async function start(doubles: Doubles, tls: object) {
  const listener = await listen(doubles, tls);
  return {
    listener,
    set(changed: object): Promise<void> {
      doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', tls: changed }] });
      return listener.update();
    },
    async shown(options: object = {}): Promise<string> {
      const shaken = await shake(listener.port, options).catch(() => undefined);
      const name = shaken === undefined ? 'none' : commonName(shaken);
      shaken?.socket.destroy();
      return name;
    },
  };
}

test('a certificate nobody has leaves certificate and bounds as they were', async () => {
  const doubles = new Doubles();
  doubles.tls = material(main, two);
  const { listener, set, shown } = await start(doubles, { certificates: ['two'], minVersion: 'TLSv1.3' });
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
  const listener = await listen(doubles, rsaOnly);
  doubles.tls = material(two);
  await listener.update();
  expect(listener.certificates).toEqual([before]);
});

test('settings that stay refused keep no certificate from its turn', async () => {
  const doubles = new Doubles();
  doubles.tls = material(two);
  const { listener, set, shown } = await start(doubles, { minVersion: 'TLSv1.3' });
  const first = await shake(listener.port);
  await set(rsaOnly);
  const refused = [expect.stringMatching(/^listeners\.submissions\.tls\.ciphers: names suites for RSA only/)];
  expect(listener.disagreements).toEqual(refused);
  const resumed = await shake(listener.port, { session: await first.ticket });
  expect(resumed.socket.isSessionReused()).toBe(true);
  first.socket.destroy();
  resumed.socket.destroy();

  const fresh = certificate('two', ['mx.new.test']);
  doubles.tls = material(fresh);
  await listener.update();
  expect(await shown()).toBe('mx.new.test');
  expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('none');
  expect(listener.certificates).toEqual([fresh]);
  expect(listener.disagreements).toEqual(refused);

  const fitting = certificate('two', ['mx.rsa.test'], 'rsa');
  doubles.tls = material(fitting);
  await listener.update();
  expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('mx.rsa.test');
  expect(await shown({ minVersion: 'TLSv1.3' })).toBe('none');
  expect(listener.disagreements).toEqual([]);

  // Neither these settings nor those before go with it.
  doubles.tls = material(two);
  await set({ ...rsaOnly, ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' });
  expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('mx.rsa.test');
  expect(listener.certificates).toEqual([fitting]);
  expect(listener.disagreements).toEqual(refused);
});

test('settings that stay refused keep no ticket key from its end', async () => {
  const clock = new FakeClock();
  const doubles = new Doubles();
  doubles.clock = clock;
  doubles.tls = { ...material(two), ticketSeed: Buffer.alloc(32, 1) };
  const { listener, set } = await start(doubles, { minVersion: 'TLSv1.3' });
  await set(rsaOnly);
  const first = await shake(listener.port);
  const session = await first.ticket;
  await clock.advance(ticketEpochMs);
  const later = await shake(listener.port, { session });
  expect(later.socket.isSessionReused()).toBe(false);
  const resumed = await shake(listener.port, { session: await later.ticket });
  expect(resumed.socket.isSessionReused()).toBe(true);
  for (const { socket } of [first, later, resumed]) socket.destroy();
});
