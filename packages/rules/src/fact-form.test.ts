// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** Spellings of domains and addresses: a condition means the same whichever is written, and matches whichever comes. */
import { expect, test } from 'vitest';
import { evaluate } from './evaluate.js';
import { compileExpression } from './expression.js';
import { factContext } from './fact-context.js';
import { compileRules } from './rule-set.js';

const scope = { event: 'body', available: new Set<string>() } as const;

function holds(condition: string, sender: string, recipient: string): boolean {
  const compiled = compileExpression(condition, scope);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  const domain = (address: string): string => address.slice(address.lastIndexOf('@') + 1);
  const user = (address: string): string => address.slice(0, address.lastIndexOf('@'));
  return compiled.expression.test(
    factContext({
      sender: { address: sender, spelled: sender, domain: domain(sender), user: user(sender) },
      recipient: { address: recipient, spelled: recipient, domain: domain(recipient), user: user(recipient) },
    }),
  );
}

test.each<[string, boolean]>([
  ['sender.domain == "xn--bcher-kva.example"', true],
  ['sender.domain == "bücher.example"', true],
  ['"bücher.example" == sender.domain', true],
  ['sender.domain != "bücher.example"', false],
  ['sender.domain in ["a.test", "bücher.example"]', true],
  ['!(sender.domain in ["a.test", "bücher.example"]) || false', false],
  ['sender.domain.inDomain("bücher.example")', true],
  ['sender.domain.inDomain("xn--bcher-kva.example")', true],
  ['sender.domain.startsWith("xn--")', true],
  ['sender.domain == "bucher.example"', false],
  ['sender.user == "A"', true],
  ['sender.user == "a"', true],
  ['sender.user.rx("^A$")', true],
  ['sender.user.rx("^[^A-Z]$")', true],
  ['sender.address == "a@bücher.example"', true],
  ['sender.address == "A@BÜCHER.Example"', true],
  ['sender.address in ["x@a.test", "A@xn--bcher-kva.example"]', true],
  ['sender.address != "A@bücher.example"', false],
  ['sender.address.startsWith("A@XN--")', true],
  ['sender.address.endsWith("@Bücher.example")', true],
  ['sender.address.contains("@XN--BCHER")', true],
  ['sender.address.rx("^A@XN--bcher-kva[.]example$")', true],
  [String.raw`sender.address.rx(r'^A@xn--bcher-kva\.EXAMPLE$')`, true],
  [String.raw`sender.address.rx("^A@xn--bcher-kva\\.EXAMPLE$")`, true],
  ['sender.address.rx("^b@")', false],
  ['sender.spelled.startsWith("A@")', true],
  ['sender.spelled.startsWith("a@")', false],
  ['sender.spelled.rx("^[A-Z]@")', true],
  ['recipient.address.rx("^Carol")', true],
  ['sender.domain.rx("EXAMPLE$")', true],
  ['recipient.address == "carol+x@acme.test"', true],
  ['recipient.address == "Carol+X@ACME.test"', true],
  ['recipient.address in ["x@acme.test", "CAROL+x@acme.test"]', true],
  ['recipient.user == "Carol+x"', true],
  ['recipient.spelled == "Carol+x@acme.test"', true],
  ['recipient.spelled == "carol+x@acme.test"', false],
  ['recipient.address == "carol@acme.test"', false],
])('%s: %s', (condition, held) => {
  for (const domain of ['bücher.example', 'BÜCHER.example', 'xn--bcher-kva.example', 'XN--BCHER-KVA.EXAMPLE'])
    expect(holds(condition, `A@${domain}`, 'Carol+x@acme.test')).toBe(held);
});

test.each<[string, boolean]>([
  ['sender.domain.endsWith(".köln.example")', true],
  ['sender.domain.endsWith(".KÖLN.example")', true],
  ['sender.domain.endsWith(".xn--kln-sna.example")', true],
  ['sender.domain.endsWith("köln.example")', true],
  ['sender.domain.endsWith(".Example")', true],
  ['sender.domain.endsWith("oln.example")', false],
  ['sender.domain.contains("XN--")', true],
  ['sender.domain.inDomain("köln.example")', true],
  ['sender.domain.inDomain("köln.example.")', true],
  ['sender.domain == "mail.köln.example."', true],
  ['sender.domain.endsWith(".köln.example.")', true],
  ['recipient.address.endsWith("@mail.köln.example.")', true],
  ['sender.address.inDomain("köln.example")', true],
  ['sender.address.inDomain("mail.köln.example")', true],
  ['sender.address.inDomain("xn--kln-sna.example")', true],
  ['sender.address.inDomain("ln.example")', false],
  ['sender.address.inDomain("a")', false],
  ['recipient.address.endsWith("@Mail.köln.example")', true],
  ['recipient.address.endsWith(".köln.example")', true],
  ['recipient.address.startsWith("Carol")', true],
  ['recipient.domain.endsWith(".köln.example")', true],
  ['recipient.user.endsWith("+X")', true],
])('a part of a name, %s: %s', (condition, held) => {
  for (const domain of ['mail.köln.example', 'MAIL.KÖLN.example', 'mail.xn--kln-sna.example'])
    expect(holds(condition, `a@${domain}`, `Carol+x@${domain}`)).toBe(held);
});

test('rules filed under a domain are found under each of its spellings', () => {
  const document = { id: 'r', event: 'mail', when: 'sender.domain == "bücher.example"', then: [{ reject: {} }] };
  const compiled = compileRules([document], { scope: { kind: 'operator' } });
  if (!compiled.ok) throw new Error(compiled.errors[0]?.message);
  for (const domain of ['bücher.example', 'xn--bcher-kva.example', 'Bücher.example'])
    expect(evaluate([compiled.set], 'mail', { sender: { domain } }).decisions).toHaveLength(1);
});
