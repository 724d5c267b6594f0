/** What the verdict at the end of data does to the reply and to the envelope. */
import { Disposition } from '@postern/proto/mail/v1/envelope';
import { Action, ContentPlan, type EvaluateRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listener } from './listener.js';
import type { PolicyAnswer } from './policy-port.js';
import { acceptAll, Doubles } from './testing/doubles.js';

let open: Listener | undefined;

afterEach(async () => {
  open?.destroy();
  await open?.drain();
});

type Content = Parameters<typeof EvaluateResponse.fromPartial>[0];

/** Sends one message to bob and carol; policy asks for `plan` and says `content` about it. */
async function send(content: object | 'away', plan = ContentPlan.BODY, message = 'Subject: x\r\n\r\nbody\r\n') {
  const doubles = new Doubles();
  doubles.evaluate = (request: EvaluateRequest): PolicyAnswer => {
    if (request.stages.includes(5)) return acceptAll(request, plan);
    if (content === 'away') return { kind: 'unavailable', reason: 'test' };
    return { kind: 'verdict', verdict: EvaluateResponse.fromPartial(content as Content) };
  };
  open = await doubles.listen({}, { inlineLimit: 4_096 });
  const client = await RawClient.open(open.port);
  await client.reply();
  const lines = [
    'EHLO c.test',
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<bob@example.test>',
    'RCPT TO:<carol@example.test>',
    'DATA',
  ];
  for (const line of lines) await client.command(line);
  client.send(`${message}.\r\n`);
  const reply = await client.reply();
  client.destroy();
  return { reply, doubles, envelope: doubles.stored[0]?.envelope, asked: doubles.asked.at(-1) };
}

const decision = (action: Action, more: object = {}) => ({ action, ...more });
const group = (recipients: string[], action: Action, more: object = {}) => ({
  recipients,
  decision: { action },
  ...more,
});

describe('verdict at the end of data', () => {
  it.each([
    ['accept', decision(Action.ACCEPT), /^250 2\.6\.0/],
    ['reject', decision(Action.REJECT), /^554 5\.7\.1/],
    [
      'reject with words',
      decision(Action.REJECT, { replyCode: 550, enhancedCode: '5.7.9', text: 'not\r\n250 this' }),
      /^550-5\.7\.9 not\r\n550 5\.7\.9 250 this \(/,
    ],
    ['reject with a code that does not fit', decision(Action.REJECT, { replyCode: 250 }), /^554 5\.7\.1/],
    ['tempfail', decision(Action.TEMPFAIL), /^451 4\.7\.1/],
    ['tempfail with a 5xx', decision(Action.TEMPFAIL, { replyCode: 550, enhancedCode: '5.1.1' }), /^451 4\.7\.1/],
    ['close', decision(Action.CLOSE), /^421 4\.7\.0/],
  ])('%s', async (_name, said, pattern) => {
    const { reply, doubles } = await send({ decision: said });
    expect(reply).toMatch(pattern);
    expect(doubles.stored).toHaveLength(reply?.startsWith('250') === true ? 1 : 0);
  });

  it('policy away is 451', async () => {
    expect((await send('away')).reply).toMatch(/^451 4\.3\.0/);
  });

  it('gives each group its rendering, ours first, and shares equal ones', async () => {
    const edits = [{ kind: 1, name: 'Authentication-Results', value: 'mx; spf=pass' }];
    const { envelope } = await send({
      groups: [
        group(['bob@example.test'], Action.ACCEPT, { rendering: { edits, tags: ['a'] } }),
        group(['carol@example.test'], Action.QUARANTINE, { rendering: { edits, tags: ['a'] } }),
      ],
      senderAuthenticated: true,
    });
    expect(envelope?.renderings).toHaveLength(1);
    expect(envelope?.renderings[0]?.edits.map(({ name }) => name)).toEqual(['Received', 'Authentication-Results']);
    expect(envelope?.forwardPaths.map(({ disposition }) => disposition)).toEqual([
      Disposition.DELIVER,
      Disposition.QUARANTINE,
    ]);
    expect(envelope?.senderAuthenticated).toBe(true);
  });

  it('a temporary refusal of one keeps the message with the client; a refusal of some is kept apart', async () => {
    const later = await send({
      groups: [group(['bob@example.test'], Action.ACCEPT), group(['carol@example.test'], Action.TEMPFAIL)],
    });
    expect(later.reply).toMatch(/^451/);
    const apart = await send({
      groups: [group(['bob@example.test'], Action.ACCEPT), group(['carol@example.test'], Action.REJECT)],
    });
    expect(apart.reply).toMatch(/^250/);
    expect(apart.envelope?.forwardPaths[1]?.disposition).toBe(Disposition.QUARANTINE);
    const all = await send({ groups: [group(['bob@example.test', 'carol@example.test'], Action.REJECT)] });
    expect(all.reply).toMatch(/^554/);
  });

  it('sends the header section only where that is the plan', async () => {
    const { asked } = await send({}, ContentPlan.HEADERS);
    expect(asked?.stages).toEqual([6]);
    expect(asked?.content.toString()).toBe('Subject: x\r\n\r\n');
  });

  it('sends a message above the inline limit whole and in order while it comes', async () => {
    const message = `Subject: x\r\n\r\n${`${'y'.repeat(70)}\r\n`.repeat(2_000)}`;
    const { asked, doubles } = await send({}, ContentPlan.BODY, message);
    expect(asked?.content.toString()).toBe(message);
    expect(doubles.stored[0]?.body.toString()).toBe(message);
  });
});
