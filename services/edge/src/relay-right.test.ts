import { recipientRight } from '@postern/flow-control/session';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { parsePath } from '@postern/smtp-core';
import { describe, expect, it } from 'vitest';
import { type Login, openSession } from './session.js';
import { compileSnapshot } from './snapshot/compile.js';
import { testSnapshot } from './testing/doubles.js';

const snapshot = compileSnapshot(
  Snapshot.fromPartial({ ...testSnapshot, relayNetworks: [{ network: '10.1.0.0/16', tenant: 'relays' }] }),
);
const login: Login = { user: 'user@example.test', tenant: 'acme', mechanism: 'PLAIN' };

function outsider(clientAddress = '192.0.2.1') {
  return openSession({
    id: 's',
    listener: { name: 'mx', role: 'mx' },
    clientAddress,
    clientPort: 1,
    localAddress: '127.0.0.1',
    localPort: 25,
    startedAtMs: 0,
    traceparent: '',
    tls: undefined,
  });
}

function right(address: string, client: string, who?: Login, using: typeof snapshot | undefined = snapshot) {
  const session = outsider(client);
  session.login = who;
  const parsed = parsePath(address, { allowPostmaster: true, smtputf8: true });
  if (!parsed.ok) throw new Error(`${address}: ${parsed.reason}`);
  const found = recipientRight(using, session, parsed.path);
  return found.kind === 'granted' ? `${found.tenant} ${found.recipientClass}` : String(found.reply.code);
}

describe('relay right', () => {
  it.each([
    ['hosted domain, outsider', '<bob@example.test>', '192.0.2.1', undefined, 'acme 1'],
    ['hosted domain in capitals', '<bob@EXAMPLE.Test>', '192.0.2.1', undefined, 'acme 1'],
    ['hosted domain as U-label', '<bob@bücher.test>', '192.0.2.1', undefined, 'acme 1'],
    ['subdomain of a hosted domain', '<bob@sub.example.test>', '192.0.2.1', undefined, '550'],
    ['foreign domain, outsider', '<bob@elsewhere.test>', '192.0.2.1', undefined, '550'],
    ['address literal, outsider', '<bob@[127.0.0.1]>', '192.0.2.1', undefined, '550'],
    ['percent hack', '<bob%elsewhere.test@example.test>', '192.0.2.1', undefined, 'acme 1'],
    ['source route', '<@example.test:bob@elsewhere.test>', '192.0.2.1', undefined, '550'],
    ['foreign domain, login', '<bob@elsewhere.test>', '192.0.2.1', login, 'acme 2'],
    ['foreign domain, relay network', '<bob@elsewhere.test>', '10.1.2.3', undefined, 'relays 2'],
    ['foreign domain, mapped relay network', '<bob@elsewhere.test>', '::ffff:10.1.2.3', undefined, 'relays 2'],
    ['suspended tenant', '<bob@suspended.test>', '192.0.2.1', undefined, '450'],
    ['bare postmaster', '<postmaster>', '192.0.2.1', undefined, 'acme 1'],
  ])('%s', (_name, address, client, who, outcome) => {
    expect(right(address, client, who)).toBe(outcome);
  });

  it.each([
    ['the one provisioning chose', 'ops@xn--bcher-kva.test', 'ops@xn--bcher-kva.test'],
    ['one of a domain that is gone', 'ops@gone.test', 'postmaster@example.test'],
  ])('bare postmaster is %s', (_name, postmaster, address) => {
    const using = compileSnapshot(Snapshot.fromPartial({ ...testSnapshot, postmaster }));
    const parsed = parsePath('<postmaster>', { allowPostmaster: true });
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(recipientRight(using, outsider(), parsed.path)).toMatchObject({ kind: 'granted', address, tenant: 'acme' });
  });

  it('without a snapshot decides nothing: 451 for everybody', () => {
    const ask = (address: string, who?: Login): string => {
      const session = outsider('10.1.2.3');
      session.login = who;
      const parsed = parsePath(address);
      const found = parsed.ok ? recipientRight(undefined, session, parsed.path) : undefined;
      return found?.kind === 'refused' ? String(found.reply.code) : 'granted';
    };
    expect([ask('<bob@example.test>'), ask('<bob@elsewhere.test>', login)]).toEqual(['451', '451']);
  });
});
