import { seededRandom } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { expect, test } from 'vitest';
import { findTargets } from './mx.js';

const zone = createZone({
  'a.test': {
    MX: [
      [20, 'second.a.test'],
      [10, 'first.a.test'],
    ],
  },
  'first.a.test': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] },
  'second.a.test': { A: ['192.0.2.2'] },
  'null.test': { MX: [[0, '']] },
  'plain.test': { A: ['192.0.2.9'] },
  'empty.test': { TXT: ['nothing here'] },
  'slow.test': 'timeout',
  'half.test': {
    MX: [
      [10, 'slow.half.test'],
      [20, 'ok.half.test'],
    ],
  },
  'slow.half.test': 'servfail',
  'ok.half.test': { A: ['192.0.2.7'] },
  'dead.test': { MX: [[10, 'slow.half.test']] },
});
const find = (domain: string) => findTargets(zone, seededRandom(1), domain, 25);

test('MX hosts come by preference with all their addresses', async () => {
  const found = await find('a.test');
  expect(found.kind === 'targets' && found.targets.map(({ address }) => address)).toEqual([
    '192.0.2.1',
    '2001:db8::1',
    '192.0.2.2',
  ]);
  expect(found.kind === 'targets' && found.site).toBe('first.a.test,second.a.test');
});

test.each([
  ['null.test', { kind: 'none', code: 'null-mx' }],
  ['nowhere.test', { kind: 'none', code: 'no-domain' }],
  ['empty.test', { kind: 'none', code: 'no-address' }],
  ['slow.test', { kind: 'temporary' }],
  ['dead.test', { kind: 'temporary' }],
])('%s gives %j', async (domain, expected) => {
  expect(await find(domain)).toMatchObject(expected);
});

test('a domain without MX is its own host (RFC 5321 §5.1)', async () => {
  expect(await find('plain.test')).toMatchObject({
    kind: 'targets',
    targets: [{ host: 'plain.test', address: '192.0.2.9' }],
  });
});

test('one MX in trouble does not hide the others', async () => {
  expect(await find('half.test')).toMatchObject({ kind: 'targets', targets: [{ address: '192.0.2.7' }] });
});

test('equal preferences are tried in different orders', async () => {
  const even = createZone({
    'even.test': {
      MX: [
        [10, 'x.even.test'],
        [10, 'y.even.test'],
      ],
    },
    'x.even.test': { A: ['192.0.2.1'] },
    'y.even.test': { A: ['192.0.2.2'] },
  });
  const firsts = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const found = await findTargets(even, seededRandom(seed), 'even.test', 25);
    if (found.kind === 'targets') firsts.add(found.targets[0]?.address ?? '');
  }
  expect(firsts.size).toBe(2);
});
