import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatCidr, formatHostPort, networkHint, parseCidr, parseHostPort } from './addresses.js';
import { commonSections } from './common-sections.js';
import { defineConfig } from './define.js';
import { checkDocument, checkYaml, parseDocument, parseYaml } from './document.js';
import { loadConfig } from './load.js';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './quantities.js';
import { exampleYaml, jsonSchema, referenceMarkdown } from './reference.js';
import { s } from './s.js';
import { readSecret } from './secret.js';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['30s', 30_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['250ms', 250],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['1 h', undefined],
  ['30', undefined],
  ['-1s', undefined],
  ['1y', undefined],
  ['1constructor', undefined],
  ['', undefined],
])('parseDuration(%j) = %s', (text, expected) => expect(parseDuration(text)).toBe(expected));

test.each([
  ['50MiB', 52_428_800],
  ['1.5KiB', 1536],
  ['10B', 10],
  ['25MB', 25_000_000],
  ['5mb', undefined],
  ['5', undefined],
])('parseBytes(%j) = %s', (text, expected) => expect(parseBytes(text)).toBe(expected));

test.each([0, 1, 999, 1000, 90_000, 3_600_000, 86_400_000, 1536, 52_428_800])(
  '%i is written so that it reads back',
  (n) => {
    expect(parseDuration(formatDuration(n)) ?? 0).toBe(n);
    expect(parseBytes(formatBytes(n)) ?? 0).toBe(n);
  },
);

test.each([
  ['127.0.0.1:25', '127.0.0.1:25'],
  ['[2001:db8::1]:25', '[2001:db8::1]:25'],
  [':25', '[::]:25'],
  ['nats-0.nats.svc:4222', 'nats-0.nats.svc:4222'],
  ['host:0', 'host:0'],
  ['host:65536', undefined],
  ['host', undefined],
  ['::1:25', undefined],
  ['[127.0.0.1]:25', undefined],
  ['256.1.1.1:25', undefined],
  ['a b:25', undefined],
])('parseHostPort(%j) = %s', (text, expected) => {
  const parsed = parseHostPort(text);
  expect(parsed && formatHostPort(parsed)).toBe(expected);
});

test.each([
  ['192.0.2.0/24', '192.0.2.0/24'],
  ['192.0.2.1', '192.0.2.1'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['2001:db8::/32', '2001:db8::/32'],
  ['::ffff:192.0.2.0/120', '::ffff:192.0.2.0/120'],
  ['::1', '::1'],
  ['192.0.2.1/24', undefined],
  ['2001:db8::1/32', undefined],
  ['192.0.2.0/33', undefined],
  ['192.0.2.0/', undefined],
  ['fe80::1%eth0', undefined],
  ['192.0.2', undefined],
])('parseCidr(%j) = %s', (text, expected) => {
  const parsed = parseCidr(text);
  expect(parsed && formatCidr(parsed)).toBe(expected);
});

describe('documents', () => {
  const rule = s.object({
    name: s.string({ pattern: /^[a-z-]+$/, form: 'lower case letters and dashes' }),
    priority: s.integer({ min: 0, max: 1000 }).default(100),
    ratio: s.number({ max: 1 }).optional(),
    domains: s.list(s.domain(), { min: 1 }),
  });
  const range = s
    .object({ from: s.integer(), to: s.integer() })
    .check('from not above to', (value) => value.from <= value.to);

  test('plain values and YAML text give the same result', () => {
    const value = { name: 'a-b', domains: ['Example.COM.'] };
    const expected = { name: 'a-b', priority: 100, domains: ['example.com'] };
    expect(parseDocument(rule, value, 'api')).toEqual(expected);
    expect(parseYaml(rule, 'name: a-b\ndomains: [Example.COM.]\n', 'rules.yaml')).toEqual(expected);
  });

  test('problems come back as values with their place', () => {
    const checked = checkYaml(rule, 'name: A\ndomains: []\n', 'rules.yaml');
    expect(checked).toEqual({
      ok: false,
      problems: [
        { place: 'rules.yaml:1', path: 'name', message: '"A" is not allowed; expected lower case letters and dashes' },
        {
          place: 'rules.yaml:2',
          path: 'domains',
          message: 'an empty list is not allowed; expected 1 to 10000 entries',
        },
      ],
    });
    expect(checkDocument(rule, { name: 'a', domains: ['x'], priority: '5' }, 'api').ok).toBe(false);
    expect(checkYaml(rule, '{', 'rules.yaml').ok).toBe(false);
  });

  test('a condition over several fields', () => {
    expect(checkDocument(range, { from: 1, to: 1 }, 'api').ok).toBe(true);
    expect(checkDocument(range, { from: 2, to: 1 }, 'api')).toMatchObject({
      problems: [{ message: 'a map is not allowed; expected from not above to' }],
    });
  });

  test('keys named like object members are plain unknown keys', () => {
    const text = '{"name":"a","domains":["x"],"__proto__":{"priority":1},"constructor":1}';
    expect(checkDocument(rule, JSON.parse(text), 'api')).toMatchObject({
      problems: [{ path: '__proto__' }, { path: 'constructor' }],
    });
    expect(parseDocument(s.record(s.integer()), JSON.parse('{"__proto__":1}'), 'api')).toEqual(
      JSON.parse('{"__proto__":1}'),
    );
  });

  test('any text and any value is accepted or refused, never thrown over', () => {
    const pieces = fc.constantFrom(
      'name',
      ': ',
      'a',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&x ',
      '*x',
      '"',
      '#',
      ',',
      '? ',
      '| ',
      '1',
      '~',
      '---',
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 40 }),
        (parts) => typeof checkYaml(rule, parts.join(''), 'f').ok === 'boolean',
      ),
    );
    fc.assert(fc.property(fc.jsonValue(), (value) => checkDocument(rule, value, 'api').ok === false));
  });

  test('nesting is bounded', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = [deep];
    expect(checkDocument(rule, deep, 'api')).toMatchObject({ ok: false });
  });
});

describe('generated references', () => {
  const definition = defineConfig('edge', {
    ...commonSections,
    edge: s.object({
      banner: s.string().default('a | b').doc('First line.').since('0.2.0'),
      must: s.integer(),
      zones: s.list(s.object({ zone: s.domain().doc('Asked name.') })).default([]),
      tls: s.object({ certFile: s.file(), names: s.list(s.object({ name: s.domain() })).default([]) }).optional(),
    }),
  });

  test('the page lists every field with type, default, environment name and text', () => {
    const page = referenceMarkdown(definition);
    expect(page).toContain(
      '| `edge.banner` | string<br>text of 0 to 4096 characters | `"a \\| b"` | `POSTERN_EDGE_BANNER` | 0.2.0 | First line. |',
    );
    expect(page).toMatch(/`edge\.must` .*\| \*\*required\*\* \|/);
    // The section may be left away; within it the field may not.
    expect(page).toMatch(/`edge\.tls\.certFile` .*\| \*\*required\*\* within `edge\.tls` \|/);
    expect(page).toMatch(/`edge\.tls\.names\[\]\.name` .*\| \*\*required\*\* \|/);
    expect(page).toMatch(/`edge\.zones\[\]\.zone` .*\| \*\*required\*\* \| +\| +\| Asked name/);
    expect(page).toMatch(/`nats\.servers` .*`POSTERN_NATS_SERVERS`.*\*restart\*/);
  });

  test('the JSON Schema forbids unknown keys and requires what has no default', () => {
    const schema = jsonSchema(definition);
    expect(schema).toMatchObject({ type: 'object', additionalProperties: false, required: ['edge'] });
    expect(JSON.stringify(schema)).toContain('"description":"First line."');
  });

  test('the example file is accepted when the required fields are added', () => {
    const example = exampleYaml(definition);
    const config = loadConfig(definition, {
      env: { POSTERN_EDGE_MUST: '1', POSTERN_CONFIG: written(example) },
      argv: [],
    });
    expect(config.edge.must).toBe(1);
  });
});

describe('readSecret', () => {
  test('drops one final line end and nothing else', async () => {
    expect(await readSecret(written(' pass word \r\n'))).toBe(' pass word ');
    expect(await readSecret(written('a\n\n'))).toBe('a\n');
  });

  test('names the path and never the content', async () => {
    await expect(readSecret('/nowhere/secret')).rejects.toThrow('/nowhere/secret: secret file cannot be read (ENOENT)');
    await expect(readSecret(written(''))).rejects.toThrow('must hold 1 to 65536 bytes');
  });
});

function written(text: string): string {
  const file = join(folder, String(files++));
  writeFileSync(file, text);
  return file;
}

test.each([
  ['10.0.0.1/8', 'did you mean 10.0.0.0/8?'],
  ['192.0.2.77/25', 'did you mean 192.0.2.0/25?'],
  ['2001:db8::1/32', 'did you mean 2001:db8::/32?'],
  ['2001:db8:0:0:1:2:3:4/64', 'did you mean 2001:db8::/64?'],
  ['::ffff:10.0.0.1/104', 'did you mean ::ffff:a00:0/104?'],
  ['10.0.0.1/33', undefined],
  ['10.0.0/8', undefined],
  ['10.0.0.0/8', undefined],
  ['fe80::1%eth0/64', undefined],
])('%s with bits behind the prefix: %s', (text, hint) => {
  expect(networkHint(text)).toBe(hint);
  if (hint === undefined) return;
  expect(parseCidr(hint.slice('did you mean '.length, -1))).toBeDefined();
  const checked = checkDocument(s.object({ net: s.cidr().doc('x') }), { net: text }, 'here');
  expect(checked.ok ? '' : checked.problems[0]?.message.endsWith(`; ${hint}`)).toBe(true);
});
