import { HopProtocol, NextHop, TlsMode } from '@postern/proto/mail/v1/item';
import { expect, test } from 'vitest';
import { hopOptions } from './next-hop.js';

const hop = (change: Partial<NextHop>): NextHop =>
  NextHop.fromPartial({ host: 'mx.test', port: 25, protocol: HopProtocol.SMTP, ...change });

test.each<[string, Partial<NextHop>, object]>([
  ['nothing said', { tlsMode: TlsMode.UNSPECIFIED }, { mode: 'opportunistic', implicit: false, serverName: 'mx.test' }],
  ['none', { tlsMode: TlsMode.NONE }, { mode: 'none' }],
  ['opportunistic', { tlsMode: TlsMode.OPPORTUNISTIC }, { mode: 'opportunistic' }],
  ['required', { tlsMode: TlsMode.REQUIRED }, { mode: 'required' }],
  ['verified', { tlsMode: TlsMode.VERIFIED }, { mode: 'verified' }],
  ['a mode of a later release', { tlsMode: TlsMode.UNRECOGNIZED }, { mode: 'verified' }],
  ['TLS from the first octet', { implicitTls: true }, { implicit: true }],
  ['port 465', { port: 465 }, { implicit: true }],
  ['another name in the certificate', { tlsServerName: 'other.test' }, { serverName: 'other.test' }],
])('TLS of a next hop: %s', (_title, change, tls) => {
  expect(hopOptions(hop(change)).tls).toMatchObject(tls);
});

test('port and protocol of a next hop', () => {
  expect(hopOptions(hop({ port: 2525 }))).toMatchObject({ port: 2525, protocol: 'smtp' });
  expect(hopOptions(hop({ protocol: HopProtocol.LMTP }))).toMatchObject({ protocol: 'lmtp' });
});
