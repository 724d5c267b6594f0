/** Which recipients are treated alike by rules of content, whatever the content will be: equal keys, and no others where a rule can tell them apart. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chainProfile } from './chain-roles.js';
import { evaluate } from './evaluate.js';
import type { Facts } from './fact-table.js';
import { type RefusalChain, refusalChain } from './refusal-chain.js';
import { createRuleCompiler, type RuleBook } from './rule-book.js';
import type { StoredRule } from './stored-rule.js';

type Place = '' | 'one' | 'two' | 'one.test' | 'two.test' | 'ann@one.test' | 'bob@one.test';

const ownerOf = (place: Place): string =>
  place === '' ? '' : place.endsWith('two') || place.endsWith('two.test') ? 'two' : 'one';

function stored([place, rule]: readonly [Place, object], index: number): StoredRule {
  const tenant = ownerOf(place);
  const target = place.includes('.') ? place : '';
  const scope = tenant === '' ? 'server' : target === '' ? 'tenant' : target.includes('@') ? 'user' : 'domain';
  return { id: `r${index}`, version: 1, scope, tenant, target, document: JSON.stringify({ event: 'body', ...rule }) };
}

function bookOf(rules: readonly (readonly [Place, object])[]): RuleBook {
  const refused: string[] = [];
  const rights = new Map([['one', ['accept', 'skip'] as const]]);
  const compiler = createRuleCompiler((...told) => refused.push(told.join(' ')));
  const book = compiler.compile(rules.map(stored), rights);
  expect(refused).toEqual([]);
  return book;
}

const session: Facts = {
  client: { address: '192.0.2.1' },
  sender: { address: 'a@good.test', domain: 'good.test', user: 'a' },
};

function factsOf(address: string, content: Facts = {}): Facts {
  const [user = '', domain = ''] = address.split('@');
  return { ...session, recipient: { address, domain, user, routing: 'local' }, ...content };
}

function chainOf(book: RuleBook, address: string, checksRefuse = false): RefusalChain {
  const choice = book.of(address.endsWith('two.test') ? 'two' : 'one', address);
  const chain = refusalChain(choice, factsOf(address), { checksRefuse, rests: new Map() });
  if (chain === undefined) throw new Error('no budget, and it ran out');
  return chain;
}

const large = 'message.size > 1000';
const ann = 'ann@one.test';
const bob = 'bob@one.test';
const eve = 'eve@two.test';

test.each<[string, readonly (readonly [Place, object])[], readonly [string, string], boolean]>([
  ['no rules', [], [ann, eve], true],
  ['a rule for all', [['', { when: large, then: ['reject'] }]], [ann, eve], true],
  ["a tenant's rule", [['one', { when: large, then: ['reject'] }]], [ann, eve], false],
  ["a tenant's rule among its own", [['one', { when: large, then: ['reject'] }]], [ann, bob], true],
  ["a domain's rule", [['one.test', { when: large, then: ['tempfail'] }]], [ann, eve], false],
  ["a user's rule", [[ann, { when: large, then: ['reject'] }]], [ann, bob], false],
  ['one at headers', [['one', { event: 'headers', when: 'headers.has("X")', then: ['reject'] }]], [ann, eve], false],
  ['nothing that refuses', [['one', { when: large, then: ['quarantine', { tag: { name: 'a' } }] }]], [ann, eve], true],
  ['it throws away', [['one', { when: large, then: ['discard'] }]], [ann, eve], true],
  ['at an event before', [['one', { event: 'rcpt', then: ['reject'] }]], [ann, eve], true],
  [
    'the same of two tenants, in other words',
    [
      ['one', { when: large, then: [{ reject: { text: 'one' } }] }],
      ['two', { when: ' message.size>1000', then: [{ reject: { code: 552, text: 'two' } }] }],
    ],
    [ann, eve],
    true,
  ],
  [
    'one refuses for good, the other for now',
    [
      ['one', { when: large, then: ['reject'] }],
      ['two', { when: large, then: ['tempfail'] }],
    ],
    [ann, eve],
    false,
  ],
  [
    'other sizes',
    [
      ['one', { when: large, then: ['reject'] }],
      ['two', { when: 'message.size > 2000', then: ['reject'] }],
    ],
    [ann, eve],
    false,
  ],
  [
    'for another sender',
    [['one', { when: `sender.domain == "bad.test" && ${large}`, then: ['reject'] }]],
    [ann, eve],
    true,
  ],
  [
    'for this sender',
    [['one', { when: ['sender.domain == "good.test"', large], then: ['reject'] }]],
    [ann, eve],
    false,
  ],
  ['for another client', [['one', { when: ['client.address == "::1"', large], then: ['reject'] }]], [ann, eve], true],
  [
    'of the operator, by domain',
    [['', { when: ['recipient.domain == "one.test"', large], then: ['reject'] }]],
    [ann, eve],
    false,
  ],
  [
    'of the operator, by domain, among it',
    [['', { when: ['recipient.domain == "one.test"', large], then: ['reject'] }]],
    [ann, bob],
    true,
  ],
  [
    'any of two',
    [['', { match: 'any', when: ['recipient.user == "ann"', large], then: ['reject'] }]],
    [ann, bob],
    false,
  ],
  [
    'any of two, for neither',
    [['', { match: 'any', when: ['recipient.user == "zoe"', large], then: ['reject'] }]],
    [ann, bob],
    true,
  ],
  [
    'but not for one',
    [['', { when: `!(recipient.user == "ann" || !(${large}))`, then: ['reject'] }]],
    [ann, bob],
    false,
  ],
  [
    'another bound each',
    [['', { when: 'message.size > (recipient.user == "ann" ? 1 : 2)', then: ['reject'] }]],
    [ann, bob],
    false,
  ],
  [
    'chosen by the recipient, to the same',
    [['', { when: `recipient.user == "ann" ? ${large} : message.size > 1000`, then: ['reject'] }]],
    [ann, bob],
    true,
  ],
  [
    'the count of recipients is that of the message',
    [['', { when: `recipients.count > 1 && ${large}`, then: ['reject'] }]],
    [ann, bob],
    true,
  ],
  [
    'one is let off before',
    [
      ['', { priority: 1, when: 'recipient.user == "ann"', then: [{ tag: { name: 'vip' } }], stop: true }],
      ['', { when: large, then: ['reject'] }],
    ],
    [ann, bob],
    false,
  ],
  [
    'one is let off after',
    [
      ['', { when: large, then: ['reject'] }],
      ['', { priority: 200, when: 'recipient.user == "ann"', then: [{ tag: { name: 'vip' } }], stop: true }],
    ],
    [ann, bob],
    true,
  ],
  [
    "thrown away before a user's rule could refuse it",
    [
      ['one.test', { then: ['discard'] }],
      [ann, { when: large, then: ['reject'] }],
    ],
    [ann, bob],
    true,
  ],
  [
    'a rule that always refuses, unless one before it ends its set: what inner sets refuse still counts',
    [
      ['', { priority: 1, when: large, then: [{ tag: { name: 'a' } }], stop: true }],
      ['', { then: ['reject'] }],
      ['two', { when: 'message.parts > 1', then: ['reject'] }],
    ],
    [ann, eve],
    false,
  ],
  ['spared where no check refuses', [['one', { then: ['accept'] }]], [ann, eve], true],
])('%s', (_what, rules, [one, other], same) => {
  const book = bookOf(rules);
  const keys = [chainOf(book, one).key, chainOf(book, other).key];
  expect(keys[0] === keys[1]).toBe(same);
});

/** Each holds for this session and is told apart from the content it stands beside. */
test.each([
  String.raw`sender.address.rx("^a@good\\.test$")`,
  String.raw`sender.address != "quote\"d\\\n\u00e9\t'"`,
  `sender.address == 'a@good.test'`,
  'client.address.inNetwork("192.0.2.0/24")',
  'sender.domain in ["x.test", "good.test"]',
  'helo == "" && !tls.active && session.messages < 3',
  'size(client.certificateNames) == 0',
  'sender.user.upperAscii() == "A"',
  '-(session.messages) == 0',
  'sender.domain.split(".")[0] == "good"',
  '["a", "b"].exists(x, x == sender.user)',
  '{"a": 1}[sender.user] == 1',
])('%s is decided at RCPT', (text) => {
  const waiting = bookOf([['one', { when: large, then: ['reject'] }]]);
  const beside = bookOf([['one', { when: `(${text}) && ${large}`, then: ['reject'] }]]);
  const against = bookOf([['one', { when: `!(${text}) && ${large}`, then: ['reject'] }]]);
  expect(chainOf(beside, ann).key).toBe(chainOf(waiting, ann).key);
  expect(chainOf(against, ann).key).toBe('');
});

test('spared from a check that could refuse', () => {
  const book = bookOf([['one', { when: large, then: [{ skip: { check: 'dmarc' } }] }]]);
  expect(chainOf(book, ann, true).key).not.toBe(chainOf(book, eve, true).key);
  expect(chainOf(book, ann, true).links).toMatchObject([{ rule: 'r0@1', tenant: 'one', target: '' }]);
});

test('spared by the operator, for one recipient', () => {
  const book = bookOf([['', { when: ['recipient.user == "ann"', large], then: [{ skip: { check: 'dmarc' } }] }]]);
  expect(book.skipsSingly).toBe(true);
  expect(chainOf(book, ann, true).key).not.toBe(chainOf(book, eve, true).key);
  expect(chainOf(book, ann).key).toBe(chainOf(book, eve).key);
  const forAll = bookOf([['', { when: large, then: [{ skip: { check: 'dmarc' } }] }]]);
  expect(forAll.skipsSingly).toBe(false);
  expect(chainOf(forAll, ann, true).key).toBe('');
});

test.each<[object, boolean]>([
  [{ event: 'rcpt', when: 'recipient.user == "ann"', then: [{ skip: { check: 'uribl' } }] }, true],
  [{ event: 'rcpt', when: 'recipient.user == "ann"', then: [{ skip: { check: 'greylist' } }] }, true],
  [{ event: 'rcpt', when: 'recipient.user == "ann"', then: [{ skip: { check: 'spf' } }] }, false],
  [{ event: 'rcpt', when: 'sender.user == "ann"', then: [{ skip: { check: 'uribl' } }] }, false],
  [{ event: 'rcpt', when: 'recipient.user == "ann"', then: ['accept'] }, false],
])('%j spares single recipients a check of content: %j', (rule, expected) => {
  expect(bookOf([['', rule]]).skipsSingly).toBe(expected);
});

test('thrown away before it could be spared', () => {
  const book = bookOf([
    ['', { when: ['recipient.user == "ann"', large], then: ['discard'] }],
    ['one', { then: ['accept'] }],
  ]);
  expect(chainOf(book, ann, true).key).not.toBe(chainOf(book, bob, true).key);
  expect(chainOf(book, ann).key).toBe(chainOf(book, bob).key);
});

test('a link names its rule and whose it is', () => {
  const book = bookOf([
    ['', { when: large, then: ['reject'] }],
    ['ann@one.test', { when: 'message.parts > 3', then: ['reject'] }],
  ]);
  const links = chainOf(book, ann).links.map(({ rule, tenant, target }) => [rule, tenant, target]);
  expect(links).toEqual([
    ['r0@1', undefined, ''],
    ['r1@1', 'one', 'ann@one.test'],
  ]);
});

test('a profile says whether anything has to be computed', () => {
  const book = bookOf([
    ['one', { when: large, then: ['reject'] }],
    ['two', { event: 'rcpt', when: 'recipient.user == "x"', then: ['reject'] }],
    ['ann@one.test', { when: 'recipient.user == "ann"', then: ['accept'] }],
  ]);
  expect(chainProfile(book.of('one', bob))).toEqual({ refuses: true, spares: false, asksRecipient: false });
  expect(chainProfile(book.of('two', eve))).toEqual({ refuses: false, spares: false, asksRecipient: false });
  expect(chainProfile(book.of('one', ann))).toEqual({ refuses: true, spares: true, asksRecipient: true });
});

test('out of time nothing is said', () => {
  const rules = Array.from(
    { length: 20 },
    (_none, index) => ['', { when: `message.size > ${index}`, then: ['reject'] }] as const,
  );
  let time = 0;
  const budget = { monotonic: () => (time += 30), ms: 25 };
  const choice = bookOf(rules).of('one', ann);
  expect(refusalChain(choice, factsOf(ann), { checksRefuse: false, budget })).toBeUndefined();
});

const place = fc.constantFrom<Place>('', '', 'one', 'two', 'one.test', 'two.test', ann, bob);
const leaf = fc.constantFrom(
  ...['recipient.user == "ann"', 'recipient.domain == "one.test"', 'recipient.address.startsWith("eve")'],
  ...['sender.domain == "good.test"', 'sender.domain == "bad.test"', 'client.address == "192.0.2.1"', 'true'],
  ...['message.size > 10', 'message.parts == 2', 'headers.has("X-A")', 'headers.first("X-A") == recipient.user'],
  ...['message.types.exists(t, t == recipient.user)', '[1][message.parts] == 1', 'recipients.count > 1'],
);
const condition = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}) && (${b})`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}) || (${b})`),
    tie('node').map((a) => `!(${a})`),
    fc.tuple(tie('node'), tie('node'), tie('node')).map(([a, b, c]) => `(${a}) ? (${b}) : (${c})`),
  ),
})).node;
const then = fc.constantFrom<readonly unknown[]>(
  ['reject'],
  ['reject'],
  ['tempfail'],
  ['discard'],
  [{ tag: { name: 'a' } }],
);
const rule = fc
  .record({
    event: fc.constantFrom('headers', 'body'),
    priority: fc.integer({ min: 1, max: 3 }),
    match: fc.constantFrom('all', 'any'),
    when: fc.array(condition, { maxLength: 2 }),
    then,
    stop: fc.boolean(),
  })
  .map((one) => {
    // Facts of the body are not known at headers.
    const knowsBody = one.when.some((text) => /message\.(size|parts|types)/.test(text));
    return knowsBody ? { ...one, event: 'body' } : one;
  });
const contents: readonly Facts[] = [
  { message: { size: 5, parts: 0 }, recipients: { count: 2 } },
  { message: { size: 50, parts: 2, types: ['bob'] }, headers: [['X-A', 'ann']], recipients: { count: 2 } },
  { message: { size: 50, parts: 1, types: ['ann', 'eve'] }, headers: [['X-A', 'zoe']], recipients: { count: 2 } },
];
const refusals: ReadonlySet<string> = new Set(['reject', 'tempfail']);

/** What content does to the copy: the first refusal of headers, else of body; a rule that cannot be computed refuses nothing, whoever it is for. */
function refusalOf(book: RuleBook, address: string, content: Facts): string | undefined {
  const { sets } = book.of(address.endsWith('two.test') ? 'two' : 'one', address);
  for (const event of ['headers', 'body'] as const) {
    const { decisions } = evaluate(sets, event, factsOf(address, content));
    if (decisions.some(({ fault }) => fault !== undefined)) return 'put off';
    const found = decisions.find(({ action }) => refusals.has(action.kind));
    if (found !== undefined) return found.action.kind;
  }
  return undefined;
}

test('recipients with equal chains are refused the same content', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(place, rule), { minLength: 1, maxLength: 5 }), (rules) => {
      const book = bookOf(rules);
      const people = [ann, bob, eve];
      const keys = people.map((address) => chainOf(book, address).key);
      for (const content of contents) {
        const done = people.map((address) => refusalOf(book, address, content));
        for (const [i, key] of keys.entries())
          for (const [j, other] of keys.entries())
            if (key === other && done[i] !== 'put off' && done[j] !== 'put off') expect(done[i]).toBe(done[j]);
      }
    }),
    { numRuns: 1_500 },
  );
});
