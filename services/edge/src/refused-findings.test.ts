/** What is told of a message with its acceptance concerns those it was taken for: a refused recipient has an event of its own. */
import { EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { RawClient } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { acceptAll, Doubles } from './testing/doubles.js';

test('findings about a refused recipient are not stored with the message', async () => {
  const doubles = new Doubles();
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const recipients = answer.verdict.recipients.map(({ address }) => ({
      address,
      decision: address.startsWith('nobody') ? { action: 2, replyCode: 550, enhancedCode: '5.1.1' } : { action: 1 },
    }));
    const findings = recipients.map(({ address }) => ({
      check: 'recipients',
      outcome: address.startsWith('nobody') ? 'unknown' : 'exists',
      recipient: address,
    }));
    return { kind: 'verdict', verdict: EvaluateResponse.fromPartial({ ...answer.verdict, recipients, findings }) };
  };
  const listener = await doubles.listen();
  const client = await RawClient.open(listener.port);
  await client.reply();
  await client.command('EHLO c.test');
  await client.command('MAIL FROM:<a@sender.test>');
  expect(await client.command('RCPT TO:<x@example.test>')).toMatch(/^250 /);
  expect(await client.command('RCPT TO:<nobody@example.test>')).toMatch(/^550 /);
  await client.command('DATA');
  client.send('Subject: x\r\n\r\nx\r\n.\r\n');
  expect(await client.reply()).toMatch(/^250 /);
  client.destroy();
  listener.destroy();
  await listener.drain();
  expect(doubles.stored[0]?.envelope.findings).toMatchObject([
    { outcome: 'exists', recipient: 'x@example.test', tenant: 'acme' },
  ]);
});
