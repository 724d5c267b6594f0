/** What rules say of many recipients costs by the recipient and the rule, not by their product for every recipient that comes. */
import {
  ContentPlan,
  EvaluateRequest,
  EvaluateResponse,
  Finding,
  SessionFacts,
} from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { acceptAll, Doubles } from './testing/doubles.js';
import { greeted, withFront } from './testing/front.js';
import { mostOfRules, TransactionFindings } from './transaction-findings.js';

const front = withFront();
const matched = (rule: string, action: string, recipient: string): Finding =>
  Finding.fromPartial({ check: 'rule', outcome: 'matched', rule, action, recipient, durationUs: recipient.length });

function taken(...lists: readonly (readonly Finding[])[]): TransactionFindings {
  const findings = new TransactionFindings([]);
  lists.forEach((list, place) => {
    findings.learn(list);
    findings.take(list[0]?.recipient ?? '', place);
    findings.settle(() => true);
  });
  return findings;
}

test('recipients of whom the same was said share it, each with its own order', () => {
  const ab = (to: string) => [matched('a@1', 'tag', to), matched('b@1', 'addHeader', to)];
  const ba = [matched('b@1', 'addHeader', 'z'), matched('a@1', 'tag', 'z')];
  const findings = taken(ab('x'), ba, ab('yy'));
  const carried = findings.carried(true);
  expect(carried.findings).toEqual(ba);
  expect(carried.sharedFindings).toMatchObject([
    {
      findings: [
        { rule: 'a@1', recipient: '' },
        { rule: 'b@1', recipient: '' },
      ],
      recipients: [0, 2],
    },
  ]);
  expect(findings.told().map(({ rule, recipient }) => `${rule} ${recipient}`)).toEqual([
    'a@1 x',
    'b@1 x',
    'a@1 yy',
    'b@1 yy',
    'b@1 z',
    'a@1 z',
  ]);
});

test('while recipients come policy hears what they do to each other', () => {
  const said = (to: string) => [matched('a@1', 'tag', to), matched('s@1', 'skip', to), matched('r@1', 'run', to)];
  const { findings, sharedFindings } = taken(said('x'), said('y')).carried(false);
  expect(findings).toEqual([]);
  expect(sharedFindings.map((one) => one.findings.map(({ action }) => action))).toEqual([['skip', 'run']]);
});

test('of a recipient that is not taken nothing is kept', () => {
  const findings = new TransactionFindings([]);
  findings.learn([matched('t@1', 'tempfail', 'x'), Finding.fromPartial({ check: 'greylist', recipient: 'x' })]);
  expect(findings.about('x')).toHaveLength(2);
  findings.settle(() => false);
  expect(findings.told()).toEqual([]);
  expect(findings.carried(true)).toEqual({ findings: [], sharedFindings: [] });
});

test('what is told is bounded, and what became of a copy is told first', () => {
  const many = Array.from({ length: mostOfRules / 10 }, (_, at) => [
    ...Array.from({ length: 9 }, (_unused, rule) => matched(`r${rule}@1`, 'tag', `x${at}`)),
    matched('q@1', at % 1_000 === 0 ? 'quarantine' : 'tag', `x${at}`),
  ]);
  const findings = taken(...many);
  expect(findings.isFull).toBe(true);
  const told = findings.told();
  expect(told).toHaveLength(5_000);
  expect(told.filter(({ action }) => action === 'quarantine')).toHaveLength(many.length / 1_000);
});

test('a thousand recipients one at a time under ten rules that match: a request grows by its recipients alone', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({ limits: { recipients: 1_000 } });
  const last = { rcpt: 0, facts: 0, content: 0 };
  doubles.evaluate = (request) => {
    const { facts } = request;
    const asked = facts?.recipients.filter((one) => one.asked) ?? [];
    if (facts !== undefined) {
      const bare = SessionFacts.encode({ ...facts, findings: [], sharedFindings: [] }).finish().length;
      last[asked.length > 0 ? 'rcpt' : 'content'] = SessionFacts.encode(facts).finish().length - bare;
    }
    const answer = acceptAll(request, ContentPlan.HEADERS);
    if (answer.kind !== 'verdict') return answer;
    const findings = asked.flatMap(({ address }) =>
      Array.from({ length: 10 }, (_, at) => matched(`r${at}@1`, at === 9 ? 'skip' : 'tag', address)),
    );
    return { kind: 'verdict', verdict: EvaluateResponse.fromPartial({ ...answer.verdict, findings }) };
  };
  const listener = await front.start(doubles);
  const client = await greeted(listener.port, ['EHLO c.test', 'MAIL FROM:<a@sender.test>']);
  for (let at = 0; at < 1_000; at++) expect(await client.command(`RCPT TO:<r${at}@example.test>`)).toMatch(/^250/);
  await client.command('DATA');
  expect(await client.command('Subject: x\r\n\r\nx\r\n.')).toMatch(/^250 /);
  client.destroy();
  expect(last.rcpt).toBeLessThan(3_000);
  expect(last.content).toBeLessThan(4_000);
  expect(EvaluateRequest.encode(doubles.asked.at(-1) ?? EvaluateRequest.fromPartial({})).finish().length).toBeLessThan(
    100_000,
  );
  expect(doubles.stored[0]?.envelope.findings).toHaveLength(5_000);
});
