/** Inner scopes may tighten; what they write is refused by field, with the way out. */
import { describe, expect, test } from 'vitest';
import {
  defaultSettings,
  effectiveFields,
  readPatch,
  readSettings,
  settingsOf,
  usablePatch,
  writeSettings,
} from './index.js';

const operator = defaultSettings();
const strict = { ...operator, spf: { ...operator.spf, onFail: 'reject' as const } };

test.each<[object, RegExp | null]>([
  [{}, null],
  [{ spf: { onFail: 'reject' } }, null],
  [{ greylist: { enabled: true, delay: '10m' } }, null],
  [{ lists: { block: ['a@b.test', '/^x/', '192.0.2.0/24'] } }, null],
  [{ spf: { onSoftfail: 'reject', onNone: 'tag' } }, null],
  [
    { spf: { helo: true } },
    /^spf\.helo: the operator has this check on with onFail: mark; only a stricter onFail is allowed/,
  ],
  [{ spf: { enabled: false } }, /^spf\.enabled: the operator has this check on/],
  [{ spf: { tenantsMay: 'anything' } }, /^spf\.tenantsMay: is the operator's/],
  [{ spf: { onFial: 'reject' } }, /^spf\.onFial: unknown key; did you mean onFail/],
  [{ greylist: { delay: 'soon' } }, /^greylist\.delay: /],
  [{ lists: { block: ['/(/'] } }, /^lists\.block\[0\]: /],
  [{ nothing: {} }, /^nothing: unknown key/],
  [{ __proto__x: {} }, /unknown key/],
])('%j', (patch, problem) => {
  const reading = readPatch(patch, operator);
  if (problem === null) expect(reading).toMatchObject({ ok: true });
  else expect(reading.ok ? '' : reading.problems[0]).toMatch(problem);
});

test('a user sets lists alone', () => {
  expect(readPatch({ greylist: { enabled: true } }, operator, true)).toMatchObject({ ok: false });
  expect(readPatch({ lists: { allow: ['a.test'] } }, operator, true)).toMatchObject({ ok: true });
});

test('a patch written before the operator became stricter is left out by check, not whole', () => {
  const own = settingsOf(strict, [{ spf: { onFail: 'tag' }, greylist: { enabled: true } }]);
  expect([own?.spf.onFail, own?.greylist.enabled]).toEqual(['reject', true]);
});

test('checks no patch names are the very objects of the operator', () => {
  const own = settingsOf(operator, [{ greylist: { enabled: true } }]);
  expect(own?.spf).toBe(operator.spf);
  expect(own?.greylist).not.toBe(operator.greylist);
});

test('what is written for the snapshot is read back', () => {
  expect(readSettings(writeSettings(strict))).toEqual(strict);
  expect(readSettings('{')).toBeUndefined();
  const before = JSON.stringify({ lists: { block: ['300.1.1.1', 'x.test'] } });
  expect(readSettings(before)?.lists.block).toEqual(['x.test']);
});

test('who is not to be asked later may not be let pass', () => {
  const outer = { ...operator, dmarc: { ...operator.dmarc, onTemperror: 'tempfail' as const } };
  expect(readPatch({ dmarc: { onTemperror: 'mark' } }, outer)).toMatchObject({ ok: false });
  expect(readPatch({ dmarc: { onPermerror: 'mark' } }, outer)).toMatchObject({ ok: false });
  const milder = { ...operator, dmarc: { ...operator.dmarc, onTemperror: 'mark' as const } };
  expect(readPatch({ dmarc: { onTemperror: 'tempfail' } }, milder).ok).toBe(true);
});

test('of a result with a consequence of its own only a stricter one is allowed', () => {
  const outer = { ...operator, spf: { ...operator.spf, onSoftfail: 'quarantine' as const } };
  expect(readPatch({ spf: { onSoftfail: 'reject' } }, outer).ok).toBe(true);
  expect(readPatch({ spf: { onSoftfail: 'tag' } }, outer)).toMatchObject({
    ok: false,
    problems: [
      expect.stringMatching(
        /^spf\.onSoftfail: the operator has this check on with onSoftfail: [a-z]+; only a stricter onSoftfail/,
      ),
    ],
  });
});

describe('settings saved before the operator changed his', () => {
  const saved = {
    spf: { onFail: 'reject' },
    country: { enabled: true, block: ['RU'], onFail: 'reject' },
    greylist: { dealy: '5m' },
    identity: { enabled: true },
  };
  const now = {
    ...operator,
    country: { ...operator.country, enabled: true, block: ['KP'] },
  };

  test('what conflicts is left out, the check it is of and no other', () => {
    const { patch, leftOut } = usablePatch(saved, now);
    expect(Object.keys(patch)).toEqual(['spf', 'identity']);
    expect(leftOut).toEqual([
      { check: 'country', problems: [expect.stringMatching(/^country\.block: the operator has this check on/)] },
      { check: 'greylist', problems: [expect.stringMatching(/^greylist\.dealy: unknown key/)] },
    ]);
  });

  test.each([null, 'spf', ['spf'], 3])('%j is no document', (document) => {
    expect(usablePatch(document, now)).toMatchObject({ patch: {}, leftOut: [{ check: '' }] });
  });

  test('an entry of a list that cannot be read takes no other with it', () => {
    const { patch, leftOut } = usablePatch({ lists: { block: ['300.1.1.1', 'x.test'], allow: ['a@*'] } }, now);
    expect(patch).toEqual({ lists: { block: ['x.test'], allow: [] } });
    expect(leftOut[0]?.problems.map((problem) => problem.split(':')[0])).toEqual(['lists.block[0]', 'lists.allow[0]']);
  });

  test('__proto__ is a name like another', () => {
    const { patch, leftOut } = usablePatch(JSON.parse('{"__proto__": {"spf": 1}, "spf": {"onFail": "tag"}}'), now);
    expect([Object.keys(patch), leftOut.map(({ check }) => check)]).toEqual([['spf'], ['__proto__']]);
  });

  test('in force is told with who set it', () => {
    const fields = effectiveFields(now, [
      { name: 'tenant acme', document: saved },
      { name: 'domain acme.test', document: { spf: { onSoftfail: 'tag' }, lists: { block: ['x.test'] } } },
    ]);
    const of = (field: string) => fields.filter((one) => one.field === field).map(({ value, setBy }) => [value, setBy]);
    expect(of('spf.onFail')).toEqual([['"reject"', 'tenant acme']]);
    expect(of('spf.onSoftfail')).toEqual([['"tag"', 'domain acme.test']]);
    expect(of('country.block')).toEqual([['["KP"]', 'operator']]);
    expect(of('country.onFail')).toEqual([['"mark"', 'default']]);
    expect(of('greylist.delay')).toEqual([['"1m"', 'default']]);
    expect(of('lists.block')).toEqual([['["x.test"]', 'domain acme.test']]);
  });

  test('every field that goes beyond is named at once', () => {
    const strictDnsbl = { ...operator, dnsbl: { ...operator.dnsbl, enabled: true } };
    const reading = readPatch({ dnsbl: { threshold: 2, zones: ['a.test'] } }, strictDnsbl);
    expect(reading.ok ? [] : reading.problems.map((problem) => problem.split(':')[0])).toEqual([
      'dnsbl.threshold',
      'dnsbl.zones',
    ]);
  });
});
