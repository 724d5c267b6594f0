import { expect, test } from 'vitest';
import { buildMessage } from './messages.js';
import { SmtpSender } from './smtp-sender.js';
import { startSmtpSink } from './smtp-sink.js';

test('what is sent is what is sunk, dots included, and scripted recipients are refused', async () => {
  const sink = await startSmtpSink();
  const sender = await SmtpSender.open({ port: sink.port });
  expect((await sender.greet()).lines).toContain('PIPELINING');
  const data = Buffer.concat([
    buildMessage({ from: 'a@x.test', to: 'b@y.test', size: 5_000 }),
    Buffer.from('.dot\r\n..two\r\n.\r\nend\r\n'),
  ]);
  expect((await sender.send({ from: 'a@x.test', to: ['b@y.test'], data })).code).toBe(250);
  expect((await sender.send({ from: 'a@x.test', to: ['451-c@y.test'], data })).code).toBe(451);
  expect((await sender.send({ from: 'a@x.test', to: ['data550-c@y.test'], data })).code).toBe(550);
  await sender.quit();
  await sink.close();
  expect(sink.count()).toBe(1);
  expect(sink.messages[0]?.data.equals(data)).toBe(true);
  expect(sink.messages[0]?.recipients).toEqual(['b@y.test']);
});
