/** Faults between fields are told together with fields that are wrong by themselves, and never because of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineConfig } from './define.js';
import type { Fault } from './fault.js';
import { loadConfig } from './load.js';
import { ConfigError } from './problem.js';
import { s } from './s.js';

const size = s.object({ min: s.integer().default(1), max: s.integer().default(10), step: s.integer().default(1) });
const definition = defineConfig(
  'edge',
  {
    edge: s.object({
      workers: size,
      pages: size.check('min not above max', ({ min, max }) => min <= max),
      hops: s.record(s.object({ host: s.string(), port: s.integer().default(25) })).default({}),
      routes: s.list(s.object({ domain: s.domain(), hop: s.string() })).default([]),
      users: s.list(s.object({ address: s.string(), quota: s.integer().default(0) })).default([]),
    }),
  },
  ({ edge }) => {
    const faults: Fault[] = [];
    const { min, max } = edge.workers;
    if (min > max) faults.push({ path: ['edge', 'workers', 'min'], message: `${min} is more than max (${max})` });
    edge.routes.forEach(({ hop }, index) => {
      if (!Object.hasOwn(edge.hops, hop))
        faults.push({ path: ['edge', 'routes', index, 'hop'], message: `"${hop}" is no hop` });
    });
    const domains = new Set(edge.routes.map(({ domain }) => domain));
    edge.users.forEach(({ address }, index) => {
      if (!domains.has(address.replace(/.*@/, '')))
        faults.push({ path: ['edge', 'users', index, 'address'], message: `"${address}" has no domain here` });
    });
    return faults;
  },
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-salvage-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(text: string): string[] {
  const file = join(folder, 'postern.yaml');
  writeFileSync(file, `edge:\n${text.replace(/^/gm, '  ')}`);
  try {
    loadConfig(definition, { file, env: {}, argv: [] });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path }) => path);
    throw error;
  }
  return [];
}

const noHop = 'routes: [{ domain: a.test, hop: nowhere }]';

test.each([
  ['a field and a fault elsewhere', `${noHop}\nworkers: { min: many }`, ['edge.workers.min', 'edge.routes[0].hop']],
  ['an unknown key and a fault', `${noHop}\nworkers: { mim: 1 }`, ['edge.workers.mim', 'edge.routes[0].hop']],
  [
    'an unknown key beside a fault of the same map',
    'workers: { min: 20, mim: 1 }',
    ['edge.workers.mim', 'edge.workers.min'],
  ],
  ['a condition of a map with an unknown key', 'pages: { min: 20, mim: 1 }', ['edge.pages.mim', 'edge.pages']],
  ['a fault of a map that lost a field', 'workers: { min: 20, max: lots }', ['edge.workers.max']],
  ['a condition of a map that lost a field', 'pages: { min: 20, max: lots }', ['edge.pages.max']],
  [
    'a hop without its port is there still',
    'hops: { main: { host: mx, port: x } }\nroutes: [{ domain: a.test, hop: main }, { domain: b.test, hop: nowhere }]',
    ['edge.hops.main.port', 'edge.routes[1].hop'],
  ],
  [
    'nothing is said of a hop that is only written wrong',
    'hops: { main: { port: 25 } }\nroutes: [{ domain: a.test, hop: main }]',
    ['edge.hops.main.host'],
  ],
  [
    'nothing is said of users whose domain is written wrong',
    'hops: { main: { host: mx } }\nroutes: [{ domain: "a test", hop: main }]\nusers: [{ address: bob@a.test }]',
    ['edge.routes[0].domain'],
  ],
  ['nothing at all when a list is none', `${noHop}\nusers: bob`, ['edge.users']],
  ['a whole section that is none', `hops: main\n${noHop}`, ['edge.hops']],
])('%s', (_name, text, paths) => {
  expect(problemsOf(text)).toEqual(paths);
});
