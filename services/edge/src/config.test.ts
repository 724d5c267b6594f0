import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@postern/config';
import { testAuthority } from '@postern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edgeConfig, moreListenersHere } from './config.js';

const loadWhole = (...sets: string[]) =>
  loadConfig(edgeConfig, { env: {}, argv: sets.flatMap((set) => ['--set', set]) });
/** With a listener that needs no certificate, unless others are named. */
const load = (...sets: string[]) =>
  loadWhole('edge.listeners=[{ name: mx, role: mx, address: "127.0.0.1:2525" }]', ...sets);

test('three listeners stand where none are named, and the one that begins with TLS wants a certificate', () => {
  expect(() => loadWhole()).toThrow(
    /edge\.listeners\[2\]\.role: "submissions" needs a certificate; expected edge\.tls/,
  );
});

test('a pod is one process unless it is told otherwise', () => {
  expect(load().edge.workers).toMatchObject({ min: 1, max: 1 });
  expect(load('edge.workers.max=4').edge.workers).toMatchObject({ min: 1, max: 4 });
});

test.each([
  [
    'more at the least than at the most',
    ['edge.workers.min=3', 'edge.workers.max=2'],
    /edge\.workers\.min: 3 is more than/,
  ],
  ['left at the load it is reached at', ['edge.workers.shrinkAt=0.7'], /edge\.workers\.shrinkAt: 0\.7 is not below/],
  ['none', ['edge.workers.max=0'], /edge\.workers\.max/],
  ['a share of more than all', ['edge.workers.growAt=70'], /edge\.workers\.growAt/],
])('workers refused: %s', (_, sets, problem) => {
  expect(() => load(...sets)).toThrow(problem);
});

test.each([
  [['edge.memoryLimit=1KiB'], /edge\.memoryLimit: 1024 bytes are too few for 1 processes .* at least 128MiB/],
  [['edge.memoryLimit=128MiB', 'edge.workers.max=2'], /edge\.memoryLimit: 134217728 bytes are too few for 2 processes/],
])('memory refused: %s', (sets, problem) => {
  expect(() => load(...sets)).toThrow(problem);
});

test('memory for each worker, or none said', () => {
  expect(load('edge.memoryLimit=256MiB', 'edge.workers.max=2').edge.memoryLimit).toBe(268_435_456);
  expect(load('edge.memoryLimit=0').edge.memoryLimit).toBe(0);
});

test('several workers need ports with numbers', () => {
  const listeners = 'edge.listeners=[{ name: mx, role: mx, address: "127.0.0.1:0" }]';
  expect(load(listeners).edge.listeners).toHaveLength(1);
  expect(() => load(listeners, 'edge.workers.max=2')).toThrow(/edge\.workers\.max: 2 workers cannot share port 0/);
});

test.each([
  [
    'a name',
    '{ name: mx, role: mx, address: "127.0.0.1:2599" }',
    /edge\.moreListeners\[0\]\.name: "mx" is given twice/,
  ],
  [
    'an address',
    '{ name: other, role: mx, address: "127.0.0.1:2525" }',
    /edge\.moreListeners\[0\]\.address: "127\.0\.0\.1:2525" is given twice/,
  ],
  [
    'all addresses of a port that one has',
    '{ name: other, role: mx, address: "0.0.0.0:2525" }',
    /edge\.moreListeners\[0\]\.address: "0\.0\.0\.0:2525" cannot be opened beside 127\.0\.0\.1:2525 of mx; expected/,
  ],
  [
    'TLS without a certificate',
    '{ name: other, role: submissions, address: "127.0.0.1:2599" }',
    /edge\.moreListeners\[0\]\.role: "submissions" needs a certificate/,
  ],
])('further listeners refused: %s', (_, listener, problem) => {
  expect(() => load(`edge.moreListeners=[${listener}]`)).toThrow(problem);
});

test('further listeners of several edges on one machine: each adds its offset, a port 0 stays one', () => {
  const more = ['2599', '0'].map((port) => `{ name: at${port}, role: mx, address: "127.0.0.1:${port}" }`).join(', ');
  const { edge } = load('edge.portOffset=3', `edge.moreListeners=[${more}]`);
  expect(moreListenersHere(edge).map(({ address }) => address.port)).toEqual([2602, 0]);
});

test('an offset beyond the last port is refused', () => {
  const more = 'edge.moreListeners=[{ name: last, role: mx, address: "127.0.0.1:65535" }]';
  expect(load(more).edge.moreListeners).toHaveLength(1);
  expect(() => load(more, 'edge.portOffset=1')).toThrow(
    /edge\.moreListeners\[0\]\.address: "127\.0\.0\.1:65535" leaves no port .* expected at most 65534/,
  );
});

describe('TLS files', () => {
  let folder: string;
  const path = (name: string): string => join(folder, name);
  const pair = (cert: string, key: string, name: string): string =>
    `{ name: ${name}, certFile: ${path(cert)}, keyFile: ${path(key)} }`;
  const main = (cert: string, key: string): string[] => [
    `edge.tls.certFile=${path(cert)}`,
    `edge.tls.keyFile=${path(key)}`,
  ];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postern-tls-'));
    const authority = testAuthority('files');
    for (const name of ['one', 'two']) {
      const { cert, key } = authority.issue([`${name}.test`]);
      await Promise.all([writeFile(path(`${name}.pem`), cert), writeFile(path(`${name}.key`), key)]);
    }
    await Promise.all([writeFile(path('junk'), 'junk'), writeFile(path('short'), 'x'.repeat(31))]);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('they let the three listeners of every cluster stand', () => {
    const { listeners } = loadWhole(...main('one.pem', 'one.key')).edge;
    expect(listeners.map(({ name, role, address }) => [name, role, address.port])).toEqual([
      ['mx', 'mx', 2525],
      ['submission', 'submission', 2587],
      ['submissions', 'submissions', 2465],
    ]);
  });

  test.each<[string, () => string[], RegExp | undefined]>([
    ['that fit', () => [...main('one.pem', 'one.key')], undefined],
    ['junk for a chain', () => [...main('junk', 'one.key')], /edge\.tls\.certFile: ".*" holds no certificate/],
    ['junk for a key', () => [...main('one.pem', 'junk')], /edge\.tls\.keyFile: ".*" holds no private key/],
    ['of two', () => [...main('one.pem', 'two.key')], /edge\.tls\.keyFile: ".*" is not the key of ".*one\.pem"/],
    [
      'of two, further ones',
      () => [`edge.certificates=[${pair('one.pem', 'two.key', 'a')}]`],
      /edge\.certificates\[0\]\.keyFile: ".*" is not the key of/,
    ],
    [
      'of one name',
      () => [`edge.certificates=[${pair('one.pem', 'one.key', 'a')}, ${pair('two.pem', 'two.key', 'a')}]`],
      /edge\.certificates\[1\]\.name: "a" is given twice/,
    ],
    [
      'of the name of edge.tls',
      () => [...main('one.pem', 'one.key'), `edge.certificates=[${pair('two.pem', 'two.key', 'default')}]`],
      /edge\.certificates\[0\]\.name: "default" is the name of edge\.tls/,
    ],
    ['a short ticket key', () => [`edge.ticketKeyFile=${path('short')}`], /edge\.ticketKeyFile: ".*" holds 31 bytes/],
  ])('%s', (_, sets, problem) => {
    if (problem === undefined) expect(load(...sets()).edge.tls?.certFile).toBe(path('one.pem'));
    else expect(() => load(...sets())).toThrow(problem);
  });
});
