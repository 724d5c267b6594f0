/** Which listener a described session is on, and what that one makes of a client certificate. */
import { FakeClock } from '@postern/clock';
import { MailParameters } from '@postern/proto/mail/v1/envelope';
import { SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { factsOf, ground } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';
import { simulate } from './simulate.js';

const fingerprint = 'ab'.repeat(32);
const here = ground({
  snapshot: {
    listeners: [
      { name: 'partners', role: 'mx', tls: { clientCertificates: 'request', clientCa: 'PEM' } },
      { name: 'unsigned', role: 'mx', tls: { clientCertificates: 'request' } },
      { name: 'inner', role: 'submissions', requireAuth: true },
    ],
    relayCertificates: [{ fingerprint, tenant: 't1' }],
  },
});

async function told(listener: string, facts: object = {}, tlsVersion = ''): Promise<string> {
  const parts = {
    ...{ judge: here.judge, recordings: memoryRecordings(), clock: new FakeClock() },
    ...{ maxHops: 30, maxLineLength: 65_536, deadlineMs: 15_000 },
  };
  const { replies } = await simulate(
    parts,
    SimulateRequest.fromPartial({
      facts: {
        origin: { clientAddress: '192.0.2.9', helo: 'client.test', listener, tlsVersion },
        ...{ esmtp: true, hasReversePath: true, reversePath: 'a@here.test' },
        recipients: [{ address: 'x@far.test' }],
        ...facts,
      },
    }),
    here.snapshot,
  );
  return replies.map(({ replyCode }) => replyCode).join(' ');
}

const onCertificate = (listener: string) =>
  told(listener, { clientCertificate: { verified: true, fingerprint, subject: 'CN=x' } }, 'TLSv1.3');

test('a listener of the settings has its role, and its TLS', async () => {
  const [plain, own] = [await told('mx'), await told('partners')];
  expect(own).toBe(plain);
  // AUTH is demanded, on TLS without being told so.
  expect(await told('inner')).toBe(await told('submissions', {}, 'TLSv1.3'));
  expect(await told('inner')).not.toBe(plain);
});

test('a listener nobody knows is refused with those there are', async () => {
  await expect(told('nowhere')).rejects.toThrow(
    'listener: "nowhere" is not allowed; expected one of mx, submission, submissions, partners, unsigned, inner',
  );
  await expect(told('mx', { listenerRole: 'web' })).rejects.toThrow(/listener role "web"; expected mx/);
});

test('a certificate gives the relay right where the listener can verify it', async () => {
  expect(await onCertificate('partners')).toMatch(/ 250$/);
  expect(await onCertificate('unsigned')).toMatch(/ 550$/);
  await expect(onCertificate('mx')).rejects.toThrow(/client certificate: listener mx asks for none/);
  await expect(told('partners', { clientCertificate: { verified: true, fingerprint } })).rejects.toThrow(/on TLS only/);
});

test.each([
  [false, 'nein - tschuss'],
  [true, 'nein — tschüß'],
])('a text that is not ASCII is told as on the wire, SMTPUTF8 %s', async (smtputf8, text) => {
  // biome-ignore lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
  const ruled = ground({ rules: [{ event: 'rcpt', then: [{ reject: { text: 'nein — tschüß' } }] }] });
  const parts = {
    ...{ judge: ruled.judge, recordings: memoryRecordings(), clock: new FakeClock() },
    ...{ maxHops: 30, maxLineLength: 65_536, deadlineMs: 15_000 },
  };
  const facts = { ...factsOf({ to: ['user@here.test'] }), parameters: MailParameters.fromPartial({ smtputf8 }) };
  const { replies } = await simulate(parts, SimulateRequest.fromPartial({ facts }), ruled.snapshot);
  expect(replies.at(-1)).toMatchObject({ replyCode: 550, text });
});
