/** What a simulation says of line faults; the same words on the wire are services/edge/src/smtp/dialogs. */
import { FakeClock } from '@postern/clock';
import { SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { factsOf, ground } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';
import { messageLines } from './message-lines.js';
import { simulate } from './simulate.js';

const head = 'From: a@sender.test\r\n\r\n';

async function replyTo(body: string, linePolicy = ''): Promise<string> {
  const listeners = [{ name: 'mx', role: 'mx', linePolicy }];
  const here = ground({ snapshot: { listeners } });
  const { replies } = await simulate(
    {
      ...{ judge: here.judge, recordings: memoryRecordings(), clock: new FakeClock() },
      ...{ maxHops: 30, maxLineLength: 1_000, deadlineMs: 15_000 },
    },
    SimulateRequest.fromPartial({ facts: factsOf(), content: Buffer.from(`${head}${body}\r\n`) }),
    here.snapshot,
  );
  const last = replies.at(-1);
  return `${last?.replyCode} ${last?.enhancedCode}`;
}

test.each([
  ['whole lines', 'body', '250 2.6.0', '250 2.6.0'],
  ['a NUL', 'bo\0dy', '550 5.6.0', '250 2.6.0'],
  ['a bare CR', 'bo\rdy', '550 5.6.11', '250 2.6.0'],
  ['a bare LF', 'bo\ndy', '550 5.6.11', '250 2.6.0'],
  ['a long line', 'x'.repeat(1_001), '550 5.6.0', '550 5.6.0'],
])('%s', async (_what, body, refusing, normalising) => {
  expect([await replyTo(body), await replyTo(body, 'normalise')]).toEqual([refusing, normalising]);
});

test('what is normalised is judged as it will be kept', () => {
  const made = messageLines(Buffer.from('a\0b\rc\nd\r\ne'), { linePolicy: 'normalise', maxLineLength: 10 });
  expect(made).toEqual({ kind: 'content', content: Buffer.from('ab\r\nc\r\nd\r\ne') });
});
