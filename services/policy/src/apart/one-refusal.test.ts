/** What `split` is for: whatever rules and settings are, a message of a stranger is refused for all it was taken for, or for none. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { Action, type Decision } from '@postern/proto/policy/v1/policy_service';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground } from '../testing/ground.js';

const people = [
  { address: 'ann@one.test', tenant: 't1' },
  { address: 'bob@one.test', tenant: 't1' },
  { address: 'eve@two.test', tenant: 't2' },
  { address: 'dan@three.test', tenant: 't2' },
];
const zone = {
  '_dmarc.strict.test': { TXT: ['v=DMARC1; p=reject'] },
  'bad.test.uri.test': { A: ['127.0.0.2'] },
} as const;
const messages = [
  'From: a@plain.test\nSubject: x\n\nhello\n',
  'From: a@strict.test\nSubject: x\n\nhttp://bad.test/ here\n',
  `From: a@friend.test\nX-A: ann\n\nhttp://bad.test/ ${'long '.repeat(400)}\n`,
];

const refuses = (decision: Decision | undefined): boolean =>
  [Action.REJECT, Action.TEMPFAIL, Action.CLOSE].some((action) => action === decision?.action);

const onFail = fc.constantFrom('mark', 'tag', 'quarantine', 'reject', 'reject');
const check = fc.constantFrom('dkim', 'dmarc', 'arc', 'domainkeys');
const own = fc
  .array(
    fc.oneof(
      fc.tuple(check, onFail).map(([name, action]) => ({ [name]: { enabled: true, onFail: action } })),
      onFail.map((action) => ({ uribl: { enabled: true, onFail: action, zones: ['uri.test'], selfTest: false } })),
      fc.constantFrom(
        { lists: { block: ['strict.test'] } },
        { lists: { allow: ['friend.test'] } },
        { lists: { allow: ['sender.test'] } },
      ),
    ),
    { maxLength: 3 },
  )
  .map((parts) => Object.assign({}, ...parts));
/** What tenants may do is said for some checks. */
const operator = fc.tuple(own, fc.option(check)).map(([settings, open]) => {
  const checks: Record<string, object> = { ...settings };
  if (open !== null) checks[open] = { ...checks[open], tenantsMay: 'anything' };
  return checks;
});

const condition = fc.constantFrom(
  ...[
    'recipient.user == "ann"',
    'recipient.domain == "one.test"',
    'sender.domain == "sender.test"',
    'message.size > 500',
  ],
  ...['headers.has("X-A")', 'headers.first("X-A") == recipient.user', 'message.size > 500 || recipient.user == "eve"'],
);
const atContent = fc.record({
  event: fc.constant('body'),
  priority: fc.integer({ min: 1, max: 3 }),
  when: fc.array(condition, { maxLength: 2 }),
  then: fc.constantFrom(
    ...[['reject'], ['tempfail'], ['discard'], ['quarantine'], ['accept'], [{ tag: { name: 'a' } }]],
    [{ skip: { check: 'dkim' } }],
  ),
  stop: fc.boolean(),
});
const atRcpt = fc.record({
  event: fc.constant('rcpt'),
  when: fc.constantFrom('recipient.user == "ann"', 'recipient.user != "bob"', 'true'),
  then: fc.constantFrom(
    ...[
      [{ skip: { check: 'dmarc' } }],
      [{ skip: { check: 'uribl' } }],
      [{ run: { check: 'dkim' } }],
      [{ run: { check: 'arc' } }],
    ],
    ['reject'],
    ...[[{ setLimit: { size: 600 } }], [{ setLimit: { size: 90 } }]],
  ),
});
const rules = fc.array(fc.oneof({ weight: 3, arbitrary: atContent }, { weight: 1, arbitrary: atRcpt }), {
  maxLength: 3,
});

test('a message of a stranger is refused for all it was taken for, or for none', async () => {
  let split = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        ...{ operator, one: own, two: own, three: own, server: rules, t1: rules, t2: rules, ann: rules },
        to: fc.shuffledSubarray(people, { minLength: 2 }),
        message: fc.constantFrom(...messages),
      }),
      async ({ to, message, ...given }) => {
        const written = (patch: object): string => (Object.keys(patch).length === 0 ? '' : JSON.stringify(patch));
        const off = { spf: { enabled: false }, dkim: { enabled: false }, dmarc: { enabled: false } };
        const here = ground({
          zone,
          rules: given.server,
          tenantRules: { t1: given.t1, t2: given.t2, 't1 ann@one.test': given.ann },
          entries: Object.fromEntries(people.map(({ address }) => [address, 'user' as const])),
          snapshot: {
            checks: { document: JSON.stringify({ ...off, ...given.operator }) },
            tenants: [
              { name: 't1', checks: written(given.one), ruleActions: ['accept', 'skip'] },
              { name: 't2', checks: written(given.two) },
            ],
            domains: [
              { name: 'one.test', tenant: 't1' },
              { name: 'two.test', tenant: 't2' },
              { name: 'three.test', tenant: 't2', checks: written(given.three) },
            ],
          },
        });
        const before = await askEnvelope(here, { to });
        if (refuses(before.decision)) return;
        const closed = new Map(before.recipients.map(({ address, decision }) => [address, decision]));
        split += before.recipients.filter(({ decision }) => decision?.replyCode === 452).length;
        const taken = to.filter(({ address }) => !refuses(closed.get(address)));
        if (taken.length === 0) return;
        const { decision, groups } = await askContent(here, message, { to: taken }, before);
        if (refuses(decision)) refused += 1;
        else expect(groups.filter((group) => refuses(group.decision))).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
  expect([split > 80, refused > 40]).toEqual([true, true]);
});
