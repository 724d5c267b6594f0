import { systemClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { connectOrFallBack } from './fall-back.js';
import type { TlsSettings } from './options.js';
import { type Script, startScripted } from './testing/scripted-server.js';
import { selfSigned } from './testing/self-signed.js';

const broken: Script = {
  extensions: ['STARTTLS'],
  on: (line) => (line === 'STARTTLS' ? '220 go' : undefined),
  tls: { key: '', cert: '' },
};
const sound: Script = { extensions: ['STARTTLS'], tls: selfSigned('mx.test') };
const refusing: Script = { greeting: '554 5.7.1 go away' };

test.each<
  [string, Script, TlsSettings, { readonly ok: boolean; readonly connections: number; readonly tls?: boolean }]
>([
  ['a handshake that fails', broken, { mode: 'opportunistic' }, { ok: true, connections: 2, tls: false }],
  ['a sound handshake', sound, { mode: 'opportunistic' }, { ok: true, connections: 1, tls: true }],
  ['TLS that is required', broken, { mode: 'required' }, { ok: false, connections: 1 }],
  ['verified TLS', broken, { mode: 'verified', serverName: 'mx.test' }, { ok: false, connections: 1 }],
  ['TLS from the first octet', {}, { mode: 'opportunistic', implicit: true }, { ok: false, connections: 1 }],
  ['a refusal before TLS', refusing, { mode: 'opportunistic' }, { ok: false, connections: 1 }],
])('in plain after %s', async (_title, script, tls, expected) => {
  const server = await startScripted(script);
  try {
    const options = {
      address: '127.0.0.1',
      port: server.port,
      localName: 'client.test',
      clock: systemClock,
      tls,
    } as const;
    const result = await connectOrFallBack({ ...options, protocol: 'smtp' });
    expect(result.ok).toBe(expected.ok);
    expect(server.connections).toBe(expected.connections);
    if (result.ok) expect(result.connection.tls !== null).toBe(expected.tls);
    if (result.ok) await result.connection.quit();
  } finally {
    await server.close();
  }
});
