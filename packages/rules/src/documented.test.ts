/** docs/rules.md says of every action at which events it is carried out; this keeps the table and the parser together. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { notCarriedOut } from './carried-out.js';
import { isKnownAt, isRuleEvent, type RuleEvent, ruleEvents } from './event.js';
import { compileRules } from './rule-set.js';

const bodies: Readonly<Record<string, object>> = {
  skip: { check: 'spf' },
  run: { check: 'spf' },
  tag: { name: 'x' },
  addHeader: { name: 'X-A', value: '1' },
  addHeaderIfAbsent: { name: 'X-A', value: '1' },
  changeHeader: { name: 'X-A', value: '1' },
  removeHeader: { name: 'X-A' },
  redirect: { address: 'a@b.test' },
  addRecipient: { address: 'a@b.test' },
  changeSender: { address: '' },
  'setLimit size, recipients': { size: 1 },
  'setLimit errors': { errors: 1 },
  greeting: { text: 'hi' },
  'auth plain, tls': { plain: [] },
  route: { host: 'out.test' },
  ndrText: { text: 'ask the help desk' },
  retrySchedule: { delays: [60] },
  'allowRelay for none, authenticated': { for: 'none' },
  'allowLocal for none, authenticated, all': { for: 'all' },
};

const page = readFileSync(join(import.meta.dirname, '../../../docs/rules.md'), 'utf8');
const rows = [...page.matchAll(/^\| (`\w+`[^|]*) \| ([^|]+) \| [^|]+ \| (yes|no) \|$/gm)].flatMap(
  ([, names = '', events = '', tenant = '']) => {
    const qualified = /^`(\w+)` ([^`]+)$/.exec(names);
    const kinds =
      qualified === null
        ? names.split(', ').map((name) => name.replaceAll('`', ''))
        : [`${qualified[1]} ${qualified[2]}`];
    return kinds.map((kind) => [kind, events, tenant] as const);
  },
);

function told(events: string): RuleEvent[] {
  const named = events.split(', ').flatMap((part) => {
    const [first, last = first] = part.split(' to ');
    if (!(isRuleEvent(first) && isRuleEvent(last))) throw new Error(`${part}: not an event`);
    return ruleEvents.filter((event) => isKnownAt(first, event) && isKnownAt(event, last));
  });
  return ruleEvents.filter((event) => named.includes(event));
}

test('the table is found', () => expect(rows.length).toBeGreaterThan(20));

test.each(rows)('%s at %s, of a tenant: %s', (kind, events, tenant) => {
  const [name = ''] = kind.split(' ');
  const saved = (event: RuleEvent, scope: { kind: 'operator' } | { kind: 'tenant'; tenant: string }): boolean =>
    compileRules([{ id: 'r', event, then: [{ [name]: bodies[kind] ?? {} }] }], { scope, unsupported: notCarriedOut })
      .ok;
  expect(ruleEvents.filter((event) => saved(event, { kind: 'operator' }))).toEqual(told(events));
  expect(ruleEvents.some((event) => saved(event, { kind: 'tenant', tenant: 't' }))).toBe(tenant === 'yes');
});
