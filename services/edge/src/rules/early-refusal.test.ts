/** Refusals of rules at the command they name, over real sockets: what the client reads, and what the journal knows. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, test } from 'vitest';
import type { Listener } from '../listener.js';
import { Doubles } from '../testing/doubles.js';

let open: Listener | undefined;

afterEach(async () => {
  open?.destroy();
  await open?.drain();
  open = undefined;
});

async function connect(
  ...rules: readonly object[]
): Promise<{ client: RawClient; doubles: Doubles; banner: string | undefined }> {
  const doubles = new Doubles();
  doubles.setSnapshot({
    rules: rules.map((rule, index) => ({
      ...{ id: `r${index + 1}`, version: 3, scope: 'server', tenant: '' },
      document: JSON.stringify(rule),
    })),
  });
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  return { client, doubles, banner: await client.reply() };
}

const refusal = { reject: { code: 550, enhanced: '5.7.25', text: 'not from you' } };

test.each([
  ['reject', refusal, /^554 5\.7\.25 not from you \([0-9A-Z]{26}\)/],
  ['tempfail', { tempfail: { enhanced: '4.7.25', text: 'later' } }, /^421 4\.7\.25 later/],
  ['close', { close: { text: 'bye' } }, /^421 4\.7\.0 bye/],
])('connect %s stands in place of the banner, and the connection ends', async (_what, action, expected) => {
  const { client, doubles, banner } = await connect({
    event: 'connect',
    when: 'client.address == "127.0.0.1"',
    then: [action],
  });
  expect(banner).toMatch(expected);
  expect(await client.reply()).toBeUndefined();
  expect(doubles.ruled).toEqual([`connect ${Object.keys(action)[0]}`]);
  expect(doubles.events).toContainEqual(
    expect.objectContaining({
      event: 'edge.session.refused',
      facts: expect.objectContaining({ detail: { reason: 'r1@3' } }),
    }),
  );
});

test('EHLO is refused, and what needs it stays out of order; another name is greeted', async () => {
  const { client, banner } = await connect({ event: 'ehlo', when: 'helo == "bad.test"', then: [refusal] });
  expect(banner).toMatch(/^220/);
  expect(await client.command('EHLO bad.test')).toMatch(/^550 5\.7\.25 not from you/);
  expect(await client.command('MAIL FROM:<a@s.test>')).toMatch(/^503/);
  expect(await client.command('HELO bad.test')).toMatch(/^550/);
  expect(await client.command('EHLO good.test')).toMatch(/^250/);
  expect(await client.command('MAIL FROM:<a@s.test>')).toMatch(/^250/);
  client.destroy();
});

test('MAIL is refused with the words of the rule, and another sender is taken', async () => {
  const { client, doubles } = await connect({ event: 'mail', when: 'sender.domain == "bad.test"', then: [refusal] });
  await client.command('EHLO c.test');
  expect(await client.command('MAIL FROM:<a@bad.test>')).toMatch(/^550 5\.7\.25 not from you/);
  expect(await client.command('RCPT TO:<bob@example.test>')).toMatch(/^503/);
  expect(await client.command('MAIL FROM:<a@good.test>')).toMatch(/^250/);
  expect(doubles.events).toContainEqual(
    expect.objectContaining({
      event: 'edge.sender.rejected',
      facts: expect.objectContaining({ detail: { reason: 'r1@3' } }),
    }),
  );
  client.destroy();
});

test.each([
  ['that wants it', { event: 'mail', answer: 'at-rcpt', then: [refusal] }],
  ['that has to ask', { event: 'mail', when: 'spf.result == "fail"', then: [refusal] }],
])('a rule %s says nothing before RCPT', async (_what, rule) => {
  const { client } = await connect(rule);
  await client.command('EHLO c.test');
  expect(await client.command('MAIL FROM:<a@bad.test>')).toMatch(/^250/);
  client.destroy();
});

test('bytes of the session are known to rules', async () => {
  const { client } = await connect({
    event: 'mail',
    when: 'session.bytes > 5 && session.messages == 1',
    then: [refusal],
  });
  await client.command('EHLO c.test');
  await client.command('MAIL FROM:<a@s.test>');
  await client.command('RCPT TO:<bob@example.test>');
  await client.command('DATA');
  expect(await client.command('Subject: one\r\n\r\nbody\r\n.')).toMatch(/^250/);
  expect(await client.command('MAIL FROM:<a@s.test>')).toMatch(/^550 5\.7\.25/);
  client.destroy();
});
