// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, ground } from '../testing/ground.js';

const hidden = (parts: number): string =>
  `From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n${'--b\n\nx\n'.repeat(parts)}--b\nContent-Disposition: attachment; filename=evil.exe\n\nx\n--b--\n`;
const noPrograms = { event: 'body', when: 'message.attachments.exists(a, a.endsWith(".exe"))', then: ['reject'] };
const lenient = { event: 'body', priority: 1, when: 'message.incomplete', then: ['accept'], stop: false };

test.each<[what: string, parts: number, rules: object[], action: Action, done: string | undefined]>([
  ['what all is seen of is judged', 998, [noPrograms], Action.REJECT, undefined],
  ['what not all is seen of is refused', 2_000, [noPrograms], Action.REJECT, 'reject'],
  ['a rule may accept it', 2_000, [lenient], Action.ACCEPT, 'accepted'],
  ['where nobody looks nobody misses anything', 2_000, [], Action.ACCEPT, undefined],
])('%s', async (_what, parts, rules, action, done) => {
  const { decision, findings } = await askContent(ground({ rules }), hidden(parts), {});
  expect(decision?.action).toBe(action);
  const found = findings.find(({ check }) => check === 'structure');
  expect(found?.action).toBe(done);
  if (done === undefined) return;
  expect(found).toMatchObject({ outcome: 'incomplete', evidence: { reason: 'parts' } });
  if (done === 'reject')
    expect(decision).toMatchObject({ replyCode: 550, enhancedCode: '5.6.0', decidedBy: 'structure' });
});
