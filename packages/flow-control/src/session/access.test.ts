import { AccessRule, IpSet } from '@postern/proto/config/v1/snapshot';
import { describe, expect, it } from 'vitest';
import { ipOctets, parseNetworks } from '../networks/ip-network.js';
import { compileIpSets } from '../networks/ip-sets.js';
import { PrefixTrie } from '../networks/prefix-trie.js';
import { compileAccess } from './access.js';

type Row = readonly [level: string, target: string, priority: number, network: string, allow: boolean];

function table(rows: readonly Row[], sets: readonly Partial<IpSet>[] = []) {
  return compileAccess(
    rows.map(([level, target, priority, network, allow]) =>
      AccessRule.fromPartial({ level, target, priority, network, allow }),
    ),
    compileIpSets(sets.map((set) => IpSet.fromPartial(set))),
  );
}

describe('access rules', () => {
  it.each<[string, readonly Row[], string, boolean]>([
    ['nothing matches', [], '192.0.2.1', true],
    ['single address denied', [['global', '', 1, '192.0.2.1', false]], '192.0.2.1', false],
    ['its neighbour is not', [['global', '', 1, '192.0.2.1', false]], '192.0.2.2', true],
    ['network denied', [['global', '', 1, '192.0.2.0/24', false]], '192.0.2.200', false],
    ['range, last address', [['global', '', 1, '192.0.2.5-192.0.2.9', false]], '192.0.2.9', false],
    ['range, one beyond', [['global', '', 1, '192.0.2.5-192.0.2.9', false]], '192.0.2.10', true],
    ['IPv6 network', [['global', '', 1, '2001:db8::/32', false]], '2001:db8:5::1', false],
    ['IPv4-mapped client', [['global', '', 1, '192.0.2.0/24', false]], '::ffff:192.0.2.7', false],
    [
      'service over global, whatever the priority',
      [
        ['global', '', 1, '0.0.0.0/0', false],
        ['service', 'smtp', 9, '192.0.2.0/24', true],
      ],
      '192.0.2.1',
      true,
    ],
    [
      'listener over service',
      [
        ['service', 'smtp', 1, '192.0.2.0/24', true],
        ['listener', 'mx', 9, '192.0.2.1', false],
      ],
      '192.0.2.1',
      false,
    ],
    [
      'rules of another listener and service do not count',
      [
        ['listener', 'submission', 1, '192.0.2.1', false],
        ['service', 'api', 1, '192.0.2.1', false],
      ],
      '192.0.2.1',
      true,
    ],
    [
      'lowest number wins on overlap, not the longest prefix',
      [
        ['global', '', 5, '192.0.2.1', true],
        ['global', '', 2, '192.0.0.0/16', false],
      ],
      '192.0.2.1',
      false,
    ],
    [
      'equal numbers: the first',
      [
        ['global', '', 2, '192.0.2.0/24', true],
        ['global', '', 2, '192.0.2.0/24', false],
      ],
      '192.0.2.1',
      true,
    ],
    ['an address that cannot be read', [['global', '', 1, '10.0.0.0/8', true]], 'nonsense', false],
  ])('%s', (_name, rows, address, allowed) => {
    expect(table(rows).denial('mx', address) === undefined).toBe(allowed);
  });
});

describe('IP sets', () => {
  const office = { name: 'office', priority: 5, networks: ['192.0.2.0/24'] };
  const leaver = { name: 'leaver', priority: 1, networks: ['192.0.2.7'], deny: true };
  const guests = { name: 'guests', priority: 9, networks: ['192.0.2.0-192.0.2.99', '2001:db8::/32'], deny: true };
  const web = { name: 'web', priority: 0, networks: ['192.0.2.7'], listeners: ['submission'] };

  it.each<[string, readonly Partial<IpSet>[], string, string, string | undefined]>([
    ['no set', [], 'mx', '192.0.2.1', undefined],
    ['member', [office], 'mx', '192.0.2.1', 'office'],
    ['no member', [office], 'mx', '192.0.3.1', undefined],
    ['IPv4-mapped member', [office], 'mx', '::ffff:192.0.2.1', 'office'],
    ['IPv6 member', [guests], 'mx', '2001:db8:9::1', 'guests'],
    ['overlap: lowest number, not the longest prefix', [guests, office], 'mx', '192.0.2.1', 'office'],
    ['overlap: a narrow set of lower number', [office, leaver], 'mx', '192.0.2.7', 'leaver'],
    ['equal numbers: written first', [{ ...guests, priority: 5 }, office], 'mx', '192.0.2.1', 'guests'],
    ['for other listeners only', [web, office], 'mx', '192.0.2.7', 'office'],
    ['for this listener', [web, office], 'submission', '192.0.2.7', 'web'],
    ['an address that cannot be read', [office], 'mx', 'nonsense', undefined],
  ])('%s', (_name, sets, listener, address, expected) => {
    expect(compileIpSets(sets.map((set) => IpSet.fromPartial(set))).find(listener, address)?.name).toBe(expected);
  });

  it.each<[string, readonly Row[], string, boolean]>([
    ['a denied set refuses its members', [], '192.0.2.7', false],
    ['a set of lower number lets them in', [], '192.0.2.8', true],
    ['a rule of any level stands before sets', [['global', '', 99, '192.0.2.7', true]], '192.0.2.7', true],
    ['a rule denies whom a set allows', [['global', '', 99, '192.0.2.8', false]], '192.0.2.8', false],
    ['a rule for others changes nothing', [['global', '', 0, '198.51.100.1', true]], '192.0.2.7', false],
  ])('%s', (_name, rows, address, allowed) => {
    expect(table(rows, [guests, office, leaver]).denial('mx', address) === undefined).toBe(allowed);
  });
});

it.each<[string, readonly Row[], string]>([
  ['access rule: listener mx, 192.0.2.7, priority 3', [['listener', 'mx', 3, '192.0.2.7', false]], '192.0.2.7'],
  ['access rule: service smtp, 192.0.2.0/24, priority 0', [['service', 'smtp', 0, '192.0.2.0/24', false]], '192.0.2.7'],
  ['IP set bad', [], '198.51.100.4'],
  ['access rule: an address that cannot be read', [['global', '', 1, '192.0.2.7', true]], 'nonsense'],
])('a denial says which it is: %s', (words, rows, address) => {
  const bad = { name: 'bad', networks: ['198.51.100.0/24'], deny: true };
  expect(table(rows, [bad]).denial('mx', address)).toBe(words);
});

describe('networks', () => {
  it.each([
    '192.0.2.0/33',
    '192.0.2',
    'a-b',
    '192.0.2.9-192.0.2.1',
    '1.1.1.1-::1',
    '2001:db8::/129',
    '1.1.1.1-2-3',
    '',
  ])('refuses %s', (text) => expect(parseNetworks(text)).toBeUndefined());

  it('covers a range exactly', () => {
    const trie = new PrefixTrie<boolean>();
    for (const network of parseNetworks('10.0.0.3-10.0.1.2') ?? []) trie.insert(network, true);
    const inside = (text: string) => trie.find(ipOctets(text) ?? new Uint8Array(4)) === true;
    expect(['10.0.0.2', '10.0.0.3', '10.0.0.255', '10.0.1.2', '10.0.1.3'].map(inside)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it('finds among 100,000 networks as a list would', () => {
    const trie = new PrefixTrie<number>();
    for (let index = 0; index < 100_000; index++) {
      const octets = Uint8Array.from([11 + (index >> 16), (index >> 8) & 255, index & 255, 0]);
      trie.insert({ octets, prefixLength: 24 }, index);
    }
    expect(trie.find(Uint8Array.from([11, 200, 7, 9]))).toBe(200 * 256 + 7);
    expect(trie.find(Uint8Array.from([99, 0, 0, 1]))).toBeUndefined();
  });

  it('answers among 100,000 networks of rules and of a set as a search of the list does', () => {
    const network = (index: number) => `${11 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.0/24`;
    const allow = (index: number) => index % 3 === 0;
    const rows = Array.from({ length: 50_000 }, (_, index): Row => ['global', '', index, network(index), allow(index)]);
    const sets = [{ name: 'many', networks: Array.from({ length: 50_000 }, (_, index) => network(50_000 + index)) }];
    const access = table(rows, sets);
    for (let index = 0; index < 100_000; index += 97)
      expect(access.denial('mx', network(index).replace('0/24', '9'))).toBe(
        index >= 50_000 || allow(index) ? undefined : `access rule: global, ${network(index)}, priority ${index}`,
      );
    expect(access.denial('mx', '99.0.0.1')).toBeUndefined();
  });
});
