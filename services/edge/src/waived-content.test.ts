/** Where policy has answered the end of data at RCPT, it is asked again only if something could change the answer. */
import { Disposition } from '@postern/proto/mail/v1/envelope';
import {
  Action,
  ContentPlan,
  type EvaluateRequest,
  EvaluateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, it } from 'vitest';
import type { Listener } from './listener.js';
import type { PolicyAnswer } from './policy-port.js';
import { acceptAll, Doubles } from './testing/doubles.js';

let open: Listener | undefined;

afterEach(async () => {
  open?.destroy();
  await open?.drain();
});

const waiver = {
  unlessFields: ['authentication-results', 'received-spf'],
  decision: { action: Action.ACCEPT },
  groups: [
    {
      recipients: ['bob@example.test'],
      decision: { action: Action.QUARANTINE, text: 'said at RCPT' },
      rendering: { edits: [{ kind: 1, name: 'X-Said', value: 'at RCPT' }] },
    },
  ],
};

interface Sent {
  readonly header?: string;
  readonly recipients?: readonly string[];
  readonly plan?: ContentPlan;
  /** Given with the answer to these recipients alone. */
  readonly waivedFor?: string;
  readonly beforeData?: (doubles: Doubles) => void;
}

async function send({
  header = 'Subject: x\r\n',
  recipients = ['bob@example.test'],
  plan = ContentPlan.HEADERS,
  waivedFor = 'bob@example.test',
  beforeData = () => undefined,
}: Sent) {
  const doubles = new Doubles();
  doubles.evaluate = (request: EvaluateRequest): PolicyAnswer => {
    if (!request.stages.includes(Stage.RCPT))
      return { kind: 'verdict', verdict: EvaluateResponse.fromPartial({ decision: { action: Action.ACCEPT } }) };
    const answer = acceptAll(request, plan);
    if (answer.kind !== 'verdict') return answer;
    const isWaived = request.facts?.recipients.some(({ address, asked }) => asked && address === waivedFor);
    const partial = { ...answer.verdict, ...(isWaived === true ? { contentWaiver: waiver } : {}) };
    return { kind: 'verdict', verdict: EvaluateResponse.fromPartial(partial) };
  };
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  await client.reply();
  await client.command('EHLO c.test');
  await client.command('MAIL FROM:<a@sender.test>');
  for (const address of recipients) await client.command(`RCPT TO:<${address}>`);
  beforeData(doubles);
  await client.command('DATA');
  client.send(`${header}\r\nbody\r\n.\r\n`);
  expect(await client.reply()).toMatch(/^250 2\.6\.0/);
  client.destroy();
  const asksContent = doubles.asked.some(({ stages }) => stages.includes(Stage.HEADERS));
  return { asksContent, envelope: doubles.stored[0]?.envelope };
}

it('takes what was said at RCPT for the answer', async () => {
  const { asksContent, envelope } = await send({});
  expect(asksContent).toBe(false);
  expect(envelope?.forwardPaths.map(({ disposition }) => disposition)).toEqual([Disposition.QUARANTINE]);
  expect(envelope?.renderings[0]?.edits.at(-1)).toMatchObject({ name: 'X-Said', value: 'at RCPT' });
});

const asked: readonly [string, Sent][] = [
  ['a field may be forged', { header: 'Subject: x\r\nAuthentication-Results: mx.postern.test; spf=pass\r\n' }],
  ['its name is written otherwise', { header: 'RECEIVED-spf : pass\r\nSubject: x\r\n' }],
  ['it stands behind a line that is no field', { header: 'Subject: x\r\nno field\r\nreceived-spf: pass\r\n' }],
  ['the whole message is wanted', { plan: ContentPlan.BODY }],
  ['another recipient came later', { recipients: ['bob@example.test', 'carol@example.test'] }],
  ['settings have changed', { beforeData: (doubles) => doubles.setSnapshot({ version: 8 }) }],
  ['nothing was said', { waivedFor: 'nobody@example.test' }],
];

it.each(asked)('asks again: %s', async (_, sent) => {
  expect((await send(sent)).asksContent).toBe(true);
});
