/**
 * A rule set that is saved is a rule set that evaluates: whatever of the whole language this service takes compiles in every service, in the same
 * scope and without a word of refusal, and whatever is asked of it is answered without an exception, in the actions that were written.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { PosternError } from '@postern/errors';
import {
  createRuleCompiler,
  deliveryRules,
  earlyRefusals,
  evaluate,
  type Facts,
  factEntry,
  factNames,
  ruleEvents,
  type StoredRule,
  sessionRules,
} from '@postern/rules';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRuleDocument } from './rule-document.js';
import { ruleScope } from './snapshot/compile.js';

const text = fc.constantFrom('x', '', 'a.test', '192.0.2.1', 'Zürich', '"', '\\', '2026-01-31T00:00:00Z', '7');
const quoted = text.map((value) => JSON.stringify(value));
const number = fc.constantFrom('0', '1', '-3', '9223372036854775807', 'size("abc")', 'int("7")', 'int("x")');

/** Expressions of a type, of every operator and function; some are none, which is for the validator to find. */
const { condition } = fc.letrec<{ condition: string; string: string; int: string; list: string }>((tie) => {
  const names = (type: string) => fc.constantFrom(...factNames().filter((name) => factEntry(name)?.type === type));
  return {
    string: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      names('string'),
      quoted,
      fc.tuple(tie('string'), fc.constantFrom('trim()', 'lowerAscii()', 'upperAscii()')).map((of) => of.join('.')),
      fc.tuple(tie('string'), tie('int'), tie('int')).map(([of, from, to]) => `${of}.substring(${from}, ${to})`),
      fc.tuple(tie('list'), tie('int')).map(([of, at]) => `${of}[${at}]`),
      fc.tuple(tie('string'), tie('string')).map(([one, other]) => `(${one} + ${other})`),
      quoted.map((name) => `headers.first(${name})`),
      tie('list').map((of) => `${of}.join(",")`),
    ),
    int: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      names('int'),
      number,
      tie('string').map((of) => `${of}.size()`),
      tie('list').map((of) => `size(${of})`),
      fc.tuple(tie('int'), fc.constantFrom('+', '-', '*', '/', '%'), tie('int')).map((of) => `(${of.join(' ')})`),
      fc.tuple(tie('string'), quoted).map(([of, what]) => `${of}.indexOf(${what})`),
      quoted.map((name) => `headers.count(${name})`),
    ),
    list: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      names('strings'),
      fc.array(quoted, { maxLength: 3 }).map((of) => `[${of.join(', ')}]`),
      fc.tuple(tie('string'), quoted).map(([of, by]) => `${of}.split(${by})`),
      quoted.map((name) => `headers.values(${name})`),
      fc.tuple(tie('list'), tie('string')).map(([of, what]) => `${of}.filter(v, v != ${what})`),
    ),
    condition: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      names('bool'),
      fc.tuple(tie('string'), fc.constantFrom('==', '!=', '<', '>='), tie('string')).map((of) => of.join(' ')),
      fc.tuple(tie('int'), fc.constantFrom('==', '!=', '<', '>='), tie('int')).map((of) => of.join(' ')),
      fc
        .tuple(tie('string'), fc.constantFrom('startsWith', 'endsWith', 'contains', 'inDomain', 'inNetwork'), quoted)
        .map(([of, call, what]) => `${of}.${call}(${what})`),
      fc.tuple(tie('string'), fc.constantFrom('^a+$', '(a|b)*c', '[', 'x{1,3}')).map(([of, by]) => `${of}.rx("${by}")`),
      fc.tuple(tie('string'), tie('list')).map(([what, of]) => `${what} in ${of}`),
      fc
        .tuple(tie('list'), fc.constantFrom('exists', 'all', 'exists_one'), quoted)
        .map(([of, how, what]) => `${of}.${how}(v, v == ${what})`),
      fc.tuple(tie('condition'), fc.constantFrom('&&', '||'), tie('condition')).map((of) => `(${of.join(' ')})`),
      tie('condition').map((of) => `!(${of})`),
      fc.tuple(tie('condition'), tie('condition'), tie('condition')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc.constantFrom('time.now > timestamp("2026-01-31T00:00:00Z")', 'time.hour < 8', 'score > 3.5', 'nonsense'),
    ),
  };
});

const words = fc.constantFrom('plain words', '', 'two\nlines', 'x'.repeat(300), 'Grüße');
const address = fc.constantFrom('a@b.test', 'ä@b.test', '', 'nobody', '"a b"@c.test');
const named = (name: string, body: fc.Arbitrary<object>) => body.map((fields) => ({ [name]: fields }));
const reply = fc.record(
  { code: fc.constantFrom(550, 451, 421, 200), enhanced: fc.constantFrom('5.7.1', '4.7.1', 'x'), text: words },
  { requiredKeys: [] },
);
const header = fc.record({ name: fc.constantFrom('X-One', 'Subject', 'bad name'), value: words });
const check = fc.record({ check: fc.constantFrom('spf', 'dkim', 'dnsbl', 'recipients', 'lists', 'none') });
const few = fc.constantFrom(undefined, 0, 10, 2_000_000, -1);
const clientele = fc.record({ for: fc.constantFrom('none', 'authenticated', 'all', 'some') });
const mechanisms = fc.subarray(['PLAIN', 'LOGIN', 'SCRAM-SHA-256', 'NTLM']);
const action: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom('accept', 'discard', 'dropRecipient', 'reject', 'tempfail', 'hold', 'quarantine', 'close', 'fly'),
  ...['reject', 'tempfail'].map((name) => named(name, reply)),
  ...['quarantine', 'hold'].map((name) => named(name, fc.record({ reason: words }))),
  ...['close', 'greeting', 'requireTls', 'ndrText'].map((name) => named(name, fc.record({ text: words }))),
  named('setLimit', fc.record({ size: few, recipients: few, errors: few }, { requiredKeys: [] })),
  named('auth', fc.record({ plain: mechanisms, tls: mechanisms }, { requiredKeys: [] })),
  ...['allowRelay', 'allowLocal'].map((name) => named(name, clientele)),
  ...['skip', 'run'].map((name) => named(name, check)),
  ...['addHeader', 'addHeaderIfAbsent', 'changeHeader'].map((name) => named(name, header)),
  named('removeHeader', fc.record({ name: fc.constantFrom('Subject', 'a b') })),
  ...['addRecipient', 'redirect', 'changeSender'].map((name) => named(name, fc.record({ address }))),
  named('tag', fc.record({ name: words })),
  named(
    'route',
    fc.record(
      {
        ...{ to: fc.constant('main'), host: fc.constantFrom('mx.test', 'a b'), port: fc.constantFrom(25, 0) },
        ...{ tls: fc.constantFrom('none', 'required'), tlsVersions: fc.subarray(['TLSv1.2', 'TLSv1.3']) },
        ...{ sourceAddress: fc.constantFrom('192.0.2.1', 'x'), helo: fc.constantFrom('a.test', '-') },
      },
      { requiredKeys: [] },
    ),
  ),
  named(
    'retrySchedule',
    fc.record({ delays: fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 3 }), giveUpAfter: few }),
  ),
);

const scopes = [
  { tenant: '', scope: '' },
  { tenant: 'acme', scope: '' },
  { tenant: 'acme', scope: 'acme.test' },
  { tenant: 'acme', scope: 'bob@acme.test' },
] as const;

/** Facts as the services give them, and some as they never would. */
const factGroups = [...new Set(factNames().map((name) => name.split('.')[0] ?? ''))];
const factFields = factNames().map((name) => name.split('.')[1] ?? '');
const facts: fc.Arbitrary<Facts> = fc.dictionary(
  fc.constantFrom(...factGroups, 'headers', '__proto__'),
  fc.oneof(
    fc.anything(),
    fc.array(fc.tuple(text, text)),
    fc.dictionary(fc.constantFrom(...factFields), fc.oneof(text, fc.integer(), fc.array(text), fc.anything())),
  ),
);

/** As it lies in the snapshot; undefined = refused when saved, with a reason. */
function saved(id: string, document: object, { tenant, scope }: (typeof scopes)[number]): StoredRule | undefined {
  try {
    const owner = { tenant, scope, permitted: ['skip', 'accept'] as const, hasAsn: true };
    const read = readRuleDocument(id, owner, JSON.stringify(document));
    return {
      id,
      version: 1,
      scope: ruleScope(tenant, scope),
      tenant,
      target: scope,
      document: JSON.stringify(read.document),
    };
  } catch (error) {
    if (error instanceof PosternError && error.id === 'invalid-argument' && error.detail !== '') return undefined;
    throw error;
  }
}

/** Mostly what is taken at its event by itself: of parts drawn blindly hardly a rule would be. */
const rule = fc.constantFrom(...ruleEvents).chain((event) => {
  const plain = ruleEvents.indexOf(event) < ruleEvents.indexOf('relay') ? { tag: { name: 'x' } } : 'discard';
  const isTaken = (part: object): boolean => saved('x', { event, then: [plain], ...part }, scopes[0]) !== undefined;
  const mostly = <T>(of: fc.Arbitrary<T>, part: (value: T) => object): fc.Arbitrary<T> =>
    fc.oneof({ arbitrary: of.filter((value) => isTaken(part(value))), weight: 9 }, { arbitrary: of, weight: 1 });
  const holds = mostly(condition, (when) => ({ when }));
  return fc.record(
    {
      event: fc.constant(event),
      when: fc.oneof(holds, fc.array(holds, { maxLength: 3 })),
      then: fc.array(
        mostly(action, (one) => ({ then: [one] })),
        { minLength: 1, maxLength: 2 },
      ),
      match: fc.constantFrom('all', 'any'),
      priority: fc.integer({ min: 0, max: 100 }),
      stop: fc.boolean(),
      ...(ruleEvents.indexOf(event) < ruleEvents.indexOf('rcpt')
        ? { answer: fc.constantFrom('at-once', 'at-rcpt') }
        : {}),
    },
    { requiredKeys: ['event', 'then'] },
  );
});

test('what is saved compiles everywhere and evaluates, whatever is written and whatever is asked', () => {
  const narrows = [undefined, sessionRules, earlyRefusals, deliveryRules];
  const taken = new Set<string>();
  let accepted = 0;
  const written = fc.array(fc.tuple(rule, fc.constantFrom(...scopes)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(written, fc.array(facts, { minLength: 1, maxLength: 3 }), (rules, asked) => {
      const stored = rules.flatMap(([document, scope], index) => saved(`r${index}`, document, scope) ?? []);
      if (stored.length === 0) return;
      accepted += stored.length;
      const rights = new Map([['acme', ['skip', 'accept'] as const]]);
      for (const narrow of narrows) {
        const refused: string[] = [];
        const compiler = createRuleCompiler((tenant, id, reason) => refused.push(`${tenant} ${id} ${reason}`), narrow);
        const book = compiler.compile(stored, rights);
        expect(refused).toEqual([]);
        for (const scope of scopes)
          for (const event of ruleEvents)
            for (const known of asked) {
              const choice = book.of(scope.tenant, scope.scope);
              const { decisions, unfinished } = evaluate(choice.sets, event, known);
              expect(unfinished).toBe(false);
              for (const { ruleId, action: decided, fault } of decisions) {
                if (fault !== undefined) continue;
                const document = stored.find(({ id }) => id === ruleId)?.document;
                expect(document).toContain(decided.kind);
                taken.add(decided.kind);
              }
            }
      }
    }),
    { numRuns: 400 },
  );
  // Else nothing was shown.
  expect(accepted).toBeGreaterThan(100);
  expect(taken.size).toBeGreaterThan(12);
});
