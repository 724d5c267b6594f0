// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** A text that is no number, time or length of time is a fault, whatever it could be taken for. */
import { expect, test } from 'vitest';
import { evaluate } from './evaluate.js';
import { compileRules } from './rule-set.js';

function told(when: string, helo: string): readonly string[] {
  const result = compileRules([{ id: 'r', event: 'ehlo', when, then: [{ tag: { name: 't' } }] }], {
    scope: { kind: 'operator' },
  });
  if (!result.ok) return result.errors.map(({ message }) => message);
  const { decisions, faults } = evaluate(result.set, 'ehlo', { helo });
  return [...decisions.map(({ action }) => action.kind), ...faults.map(({ message }) => `fault ${message}`)];
}

test.each([
  ['int(helo) == 7', '7'],
  ['int(helo) == 7', '+7'],
  ['int(helo) == -7', '-7'],
  ['int(helo) == 7', '007'],
  ['int(helo) == 9223372036854775807', '9223372036854775807'],
  ['int(double(helo)) == 7', '7.9'],
  ['int(7) == 7 && int(7.9) == 7', ''],
  ['double(helo) == 1.5', '1.5'],
  ['double(helo) == 150.0', '1.5e2'],
  ['double(helo) == 0.5', '.5'],
  ['double(helo) > 1.0', 'inf'],
  ['double(2) == 2.0', ''],
  ['timestamp(helo) == timestamp(0)', '1970-01-01T00:00:00Z'],
  ['timestamp(helo) == timestamp(0)', '1970-01-01T01:00:00.000+01:00'],
  ['duration(helo) == duration("90m")', '1h30m'],
  ['duration(helo) == duration("500ms")', '.5s'],
  ['duration(helo) == duration("0s")', '0'],
  ['duration(helo) < duration("0s")', '-1.5h'],
])('%s of %j', (when, helo) => {
  expect(told(when, helo)).toEqual(['tag']);
});

test.each([
  ...['', ' ', '7 ', '0x10', '0X10', '0b1', '0o7', '1e3', '7.0', '7,0', '٧', '9223372036854775808', '-', '1_0'].map(
    (text) => ['int(helo) < 100 || true == false', text],
  ),
  ['int(double(helo)) > 0', '1e300'],
  ['int(double(helo)) > 0', 'nan'],
  ...['', ' ', '0x10', '0b1', '0o7', '1_0', '1e999', '1.5.', '.', 'e5'].map((text) => ['double(helo) >= 0.0', text]),
  ...[
    '',
    '2026-11-21',
    '2026-11-21 10:00:00Z',
    '1 Nov 2026 22:43:01 +0000',
    '2026-11-21T10:00:00',
    '2026-02-30T00:00:00Z',
    '2026-11-21T24:61:00Z',
  ].map((text) => ['timestamp(helo) > timestamp(0)', text]),
  ...['', 's', '.s', '5', '5 s', '1d', '-', '1h-5m'].map((text) => ['duration(helo) >= duration("0s")', text]),
])('%s of %j cannot be computed', (when, helo) => {
  expect(told(when, helo)).toEqual([expect.stringMatching(/^fault /)]);
});

test('what is of no such type is told by the name that was written', () => {
  expect(told('int(true) == 1', 'a')).toEqual([expect.stringMatching(/'int\(bool\)'/)]);
});
