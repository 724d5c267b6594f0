import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { commonSections } from './common-sections.js';
import { type ConfigOf, defineConfig } from './define.js';
import { type ConfigSources, loadConfig } from './load.js';
import { locateYaml } from './located.js';
import { printConfig } from './print.js';
import { ConfigError } from './problem.js';
import { s } from './s.js';

const definition = defineConfig('edge', {
  nats: commonSections.nats,
  redis: commonSections.redis,
  edge: s.object({
    listen: s.object({ smtp: s.hostPort().default('0.0.0.0:25').doc('Plain SMTP.') }),
    maxMessage: s.bytes({ max: 1024 ** 3 }).default('50MiB'),
    idle: s.duration({ min: 1000 }).default('5m'),
    banner: s.string({ maxLength: 40 }).optional(),
    token: s.string().secret().optional(),
    networks: s.list(s.cidr()).default([]),
    labels: s.record(s.string()).default({}),
    store: s
      .union('kind', { local: { folder: s.file() }, s3: { bucket: s.string(), url: s.url() } })
      .default({ kind: 'local', folder: 'spool' }),
  }),
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, sources: ConfigSources = {}) {
  const file = join(folder, 'postern.yaml');
  writeFileSync(file, text);
  return loadConfig(definition, { file, env: {}, argv: [], ...sources });
}

function problemsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(folder, '').split('\n');
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('loadConfig', () => {
  test('fills in every default when nothing is written', () => {
    const config = loadConfig(definition, { env: {}, argv: [] });
    expect(config.edge).toMatchObject({
      listen: { smtp: { host: '0.0.0.0', port: 25 } },
      maxMessage: 52_428_800,
      idle: 300_000,
      networks: [],
    });
    expect(config.nats.servers).toEqual([{ host: '127.0.0.1', port: 4222 }]);
    expect('banner' in config.edge).toBe(false);
  });

  test('types follow the schema', () => {
    type Config = ConfigOf<typeof definition>;
    expectTypeOf<Config['edge']['idle']>().toEqualTypeOf<number>();
    expectTypeOf<Config['edge']['banner']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Config['edge']['store']>().toEqualTypeOf<
      { kind: 'local'; folder: string } | { kind: 's3'; bucket: string; url: string }
    >();
    expectTypeOf<Config['nats']['servers'][number]['port']>().toEqualTypeOf<number>();
  });

  test('reads its own sections, ignores those of other services, refuses what nobody knows', () => {
    const text = 'policy:\n  anything: 1\nlifecycle: { drainTimeout: 1s }\nedge:\n  idle: 90s\n';
    expect(load(text).edge.idle).toBe(90_000);
    expect(problemsOf(() => load(`${text}egde:\n  idle: 1s\n`))).toEqual([
      '/postern.yaml:6: egde: unknown key; did you mean edge?',
    ]);
  });

  test('environment wins over the file, arguments win over the environment', () => {
    const env = {
      POSTERN_EDGE_IDLE: '2m',
      POSTERN_EDGE_LISTEN_SMTP: '[::1]:2525',
      POSTERN_NATS_SERVERS: 'a:1, b:2',
      POSTERN_EDGE_LABELS: '{x: y}',
      POSTERN_EDGE_BANNER: '1234',
    };
    const config = load('edge: { idle: 90s, banner: file }', { env, argv: ['--set', 'edge.idle=3m'] });
    expect(config.edge.idle).toBe(180_000);
    expect(config.edge.listen.smtp).toEqual({ host: '::1', port: 2525 });
    expect(config.nats.servers.map((server) => server.port)).toEqual([1, 2]);
    expect(config.edge.labels).toEqual({ x: 'y' });
    expect(config.edge.banner).toBe('1234');
  });

  test('the file is named by argument or environment', () => {
    const file = join(folder, 'named.yaml');
    writeFileSync(file, 'edge: { banner: hello }');
    const byEnv = loadConfig(definition, { env: { POSTERN_CONFIG: file }, argv: [] });
    const byArgument = loadConfig(definition, { env: {}, argv: [`--config=${file}`] });
    expect([byEnv.edge.banner, byArgument.edge.banner]).toEqual(['hello', 'hello']);
  });

  test('file paths are taken from the folder of the configuration', () => {
    expect(load('redis: { passwordFile: secrets/redis }').redis.passwordFile).toBe(join(folder, 'secrets/redis'));
  });
});

describe('a refusal', () => {
  test.each([
    ['unknown key with a hint', 'edge:\n  idel: 1s', ':2: edge.idel: unknown key; did you mean idle?'],
    [
      'a bare number as duration',
      'edge:\n\n  idle: 30',
      ':3: edge.idle: 30 is not allowed; expected a duration of at least 1s',
    ],
    [
      'below the limit',
      'edge: { idle: 1ms }',
      ':1: edge.idle: "1ms" is not allowed; expected a duration of at least 1s',
    ],
    [
      'text for a list',
      'edge: { networks: 10.0.0.0/8 }',
      ':1: edge.networks: "10.0.0.0/8" is not allowed; expected a list',
    ],
    [
      'an entry of a list',
      'edge:\n  networks:\n    - 10.0.0.0/8\n    - 10.0.0.1/8',
      ':4: edge.networks[1]: "10.0.0.1/8" is not',
    ],
    ['a map for a value', 'edge: { idle: { a: 1 } }', ':1: edge.idle: a map is not allowed'],
    ['an empty value', 'edge:\n  idle:\n', ':2: edge.idle: null is not allowed'],
    [
      'an unknown variant',
      'edge: { store: { kind: s4 } }',
      ':1: edge.store.kind: "s4" is not allowed; expected one of local, s3; did you',
    ],
    [
      'a missing field of a variant',
      'edge:\n  store:\n    kind: s3\n    url: http://x',
      ':3: edge.store.bucket: missing; expected text',
    ],
    ['a duplicate key', 'edge: { idle: 1s }\nedge: { idle: 2s }', ':2: duplicate key "edge"'],
    ['a duplicate key below', 'edge:\n  idle: 1s\n  "idle": 2s', ':3: duplicate key "idle"'],
    ['an alias to nothing', 'edge: { idle: *gone }', ':1: no anchor named gone'],
    ['an alias to itself', 'edge: &a { idle: *a }', ':1: more than 64 levels'],
    ['an unknown key near none of few', 'edge: { zzzzzzzz: 1 }', ':1: edge.zzzzzzzz: unknown key; expected one of '],
    ['a merge key', 'edge: { <<: { idle: 1s } }', ':1: edge.<<: unknown key'],
    ['not a number', 'edge: { idle: .nan }', ':1: edge.idle: null is not allowed'],
    ['broken YAML', 'edge: [', ':1: not valid YAML'],
    ['a list at the top', '- a', ':1: expected a map of sections'],
  ])('%s', (_name, text, expected) => {
    const [first] = problemsOf(() => load(text));
    expect(first?.startsWith(`/postern.yaml${expected}`), first).toBe(true);
  });

  test('names every problem, one line each, in one go', () => {
    expect(problemsOf(() => load('edge:\n  idle: x\n  maxMessage: 5\n'))).toHaveLength(2);
  });

  test('names the variable or argument at fault', () => {
    const env = { POSTERN_EDGE_IDLE: 'soon' };
    expect(problemsOf(() => load('{}', { env }))[0]).toMatch(
      /^env POSTERN_EDGE_IDLE: edge\.idle: "soon" is not allowed/,
    );
    expect(problemsOf(() => load('{}', { argv: ['--set', 'edge.idel=1s'] }))[0]).toMatch(/did you mean edge\.idle\?/);
    expect(problemsOf(() => load('{}', { argv: ['--config'] }))[0]).toBe('argument --config: needs a value');
  });

  test('never shows a secret or the password in a URL', () => {
    const long = `x${'hush'.repeat(2000)}`;
    const shown = problemsOf(() => load(`edge: { token: ${long} }\nredis: { url: "http://me:hush@host" }`)).join('\n');
    expect(shown).toContain('edge.token: the value is not allowed');
    expect(shown).toContain('http://me:***@host');
    expect(shown).not.toContain('hush');
  });

  test('a document of aliases that multiply is refused', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [name, below] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => [pair[0], pair[1]])) {
      bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${below}`).join(',')}]`);
    }
    expect(problemsOf(() => load(bomb.join('\n'))).join()).toContain('more than');
  });
});

describe('printConfig', () => {
  test('shows written forms and hides secrets', () => {
    const config = load('edge: { token: hush, idle: 90s }\nredis: { url: "redis://me:hush@host:1" }');
    const printed = printConfig(definition, config);
    expect(printed).not.toContain('hush');
    expect(printed).toContain('idle: 90s');
    expect(printed).toContain('maxMessage: 50MiB');
    expect(printed).toContain("token: '***'".replaceAll("'", '"'));
  });

  test('diff shows only what differs from the defaults', () => {
    const config = load('edge: { idle: 90s, maxMessage: 50MiB, networks: [10.0.0.0/8] }');
    expect(printConfig(definition, config, { diff: true })).toBe('edge:\n  idle: 90s\n  networks:\n    - 10.0.0.0/8\n');
    expect(printConfig(definition, load(''), { diff: true })).toBe('{}\n');
  });

  test('what is printed can be read again', () => {
    const config = load(
      'edge: { idle: 90s, networks: [10.0.0.0/8], store: { kind: s3, bucket: b, url: "https://s3.test" } }',
    );
    expect(load(printConfig(definition, config))).toEqual(config);
  });
});

test('two fields cannot share an environment variable', () => {
  expect(() => defineConfig('x', { aB: s.string(), a_b: s.string() })).toThrow(/POSTERN_A_B/);
});

test.each([
  ['brackets', '['.repeat(3_000)],
  ['lists in lists', `${'- '.repeat(3_000)}x`],
  ['maps in maps', '{a: '.repeat(3_000)],
  ['lists that are closed', `${'['.repeat(200)}${']'.repeat(200)}`],
])('%s beyond the depth that is read are one clear error', (_what, text) => {
  let told: unknown;
  try {
    locateYaml(`${text}\n`, 'rules.yaml');
  } catch (error) {
    told = error;
  }
  expect(told).toBeInstanceOf(ConfigError);
  expect(String(told)).toMatch(/rules\.yaml(:\d+)?: .*more than 64 levels/);
  expect(String(told).split('\n').length).toBeLessThan(3);
});
