/** A listener may name GSSAPI on a pod that has no keytab: it is offered only where tickets can be accepted, and otherwise is a mechanism nobody knows. */
import { RawClient } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import type { SessionServices } from '../../session.js';
import { Doubles } from '../../testing/doubles.js';
import type { KerberosAcceptor } from './acceptor.js';

class Ticketed extends Doubles {
  kerberos: KerberosAcceptor | undefined;
  override services(...settings: Parameters<Doubles['services']>): SessionServices {
    return { ...super.services(...settings), kerberos: this.kerberos };
  }
}

const refusing: KerberosAcceptor = {
  begin: () => ({
    step: () => Promise.resolve({ kind: 'unavailable', reason: 'kerberos: the keytab is gone' }),
    principal: () => undefined,
    wrap: () => Promise.reject(new Error('not asked')),
    unwrap: () => Promise.reject(new Error('not asked')),
    close: () => undefined,
  }),
};

test.each([
  ['without keytab', undefined, /^250.AUTH PLAIN\r?$/m, /^504 5\.5\.4/],
  ['with a keytab that fails now', refusing, /^250.AUTH GSSAPI PLAIN\r?$/m, /^454 4\.7\.0/],
])('%s', async (_name, kerberos, offered, answer) => {
  const doubles = new Ticketed();
  doubles.kerberos = kerberos;
  const listeners = [{ name: 'submissions', role: 'submissions', authMechanismsTls: ['GSSAPI', 'PLAIN'] }];
  doubles.setSnapshot({ listeners });
  const listener = await doubles.listen({ name: 'submissions', role: 'submissions' });
  const client = await RawClient.open(listener.port, true);
  try {
    await client.reply();
    expect(await client.command('EHLO c.test')).toMatch(offered);
    expect(await client.command('AUTH GSSAPI dGlja2V0')).toMatch(answer);
    expect(doubles.logins).toEqual([]);
  } finally {
    client.destroy();
    listener.destroy();
    await listener.drain();
  }
});
