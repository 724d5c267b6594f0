import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ipOctets } from './ip-network.js';

const groupsOf = (octets: Uint8Array): string =>
  Array.from({ length: 8 }, (_, at) => (((octets[2 * at] ?? 0) << 8) | (octets[2 * at + 1] ?? 0)).toString(16)).join(
    ':',
  );

it('reads every IPv6 text as the runtime does', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const octets = ipOctets(text) ?? new Uint8Array();
      const written = octets.length === 4 ? `::ffff:${octets.join('.')}` : groupsOf(octets);
      const meant = (address: string) => new SocketAddress({ address, family: 'ipv6' }).address;
      expect(meant(written)).toBe(meant(text));
    }),
    { numRuns: 2_000 },
  );
});

it.each<[string, readonly number[] | undefined]>([
  ['::', Array.from({ length: 16 }, () => 0)],
  ['2001:DB8::1', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  ['1:2:3:4:5:6:7::', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]],
  ['64:ff9b::192.0.2.7', [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 7]],
  ['::ffff:192.0.2.7', [192, 0, 2, 7]],
  ['::ffff:c000:207', [192, 0, 2, 7]],
  ['fe80::1%eth0', [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  ['1:2:3', undefined],
  ['1::2::3', undefined],
  ['', undefined],
])('reads %s', (text, octets) => {
  expect(ipOctets(text)).toEqual(octets === undefined ? undefined : Uint8Array.from(octets));
});
