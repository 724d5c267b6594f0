/** Recipients of one pipelined group are answered as if each had come alone (RFC 2920 §3.2), whatever becomes of those before them. */
import { Action, Decision } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { acceptAll, Doubles } from '../testing/doubles.js';
import { greeted, withFront } from '../testing/front.js';

const { start } = withFront();

/** Knows who has no digit in the name. */
async function front() {
  const doubles = new Doubles();
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const unknown = Decision.fromPartial({ action: Action.REJECT });
    const recipients = answer.verdict.recipients.map((one) =>
      /\d/.test(one.address) ? { ...one, decision: unknown } : one,
    );
    return { kind: 'verdict', verdict: { ...answer.verdict, recipients } };
  };
  doubles.setSnapshot({ limits: { recipients: 3, errorsPerSession: 100 } });
  const { port } = await start(doubles);
  return { doubles, client: await greeted(port, ['EHLO c.test', 'MAIL FROM:<a@sender.test>']) };
}

test.each<[string, readonly string[], string, number]>([
  ['refused ones take no place', ['u1', 'u2', 'u3', 'carol'], '550 550 550 250', 2],
  ['places left are used', ['a', 'u1', 'b', 'u2', 'c', 'd', 'e'], '250 550 250 550 250 452 452', 3],
  ['too many are refused without a question', ['a', 'b', 'c', 'd', 'e', 'f'], '250 250 250 452 452 452', 1],
  ['one named again is the same one', ['a', 'b', 'a', 'b', 'c', 'a', 'd'], '250 250 250 250 250 250 452', 1],
  ['one that is refused stays refused when named again', ['u1', 'u1', 'a', 'a'], '550 550 250 250', 1],
])('%s', async (_name, names, expected, questions) => {
  const lines = names.map((name) => `RCPT TO:<${name}@example.test>`);
  const heard: string[] = [];
  for (const isGrouped of [true, false]) {
    const { doubles, client } = await front();
    const codes: string[] = [];
    if (isGrouped) client.send(`${lines.join('\r\n')}\r\n`);
    for (const line of lines)
      codes.push((isGrouped ? await client.reply() : await client.command(line))?.slice(0, 3) ?? '');
    heard.push(codes.join(' '));
    if (isGrouped) expect(doubles.asked).toHaveLength(questions);
    client.destroy();
  }
  expect(heard).toEqual([expected, expected]);
});
