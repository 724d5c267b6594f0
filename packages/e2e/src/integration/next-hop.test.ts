/** What becomes of accepted mail when the next hop is away or refuses: it waits and arrives, or its sender is told, and strangers never are. */
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { explained, queueIdOf } from './explanation.js';
import { type SpeakOptions, withMailWorld } from './mail-world.js';

const world = withMailWorld();

async function accepted(from: string, to: string, id: string, options: SpeakOptions = {}): Promise<string> {
  const sender = await world.speak(options.login === undefined ? 'mx' : 'submissions', options);
  const reply = await sender.send({ from, to: [to], data: buildMessage({ from, to, id, subject: id }) });
  expect(`${reply.code} ${reply.text}`).toMatch(/^250 /);
  await sender.quit();
  return queueIdOf(reply);
}

const patience = { timeout: 60_000, interval: 500 };
const reportsTo = (address: string) =>
  world.nextHop.messages.filter(({ reversePath, recipients }) => reversePath === '' && recipients.includes(address));

test('next hop down: deferred and shown in the queue; up again: delivered once', async () => {
  await world.nextHop.close();
  const queueId = await accepted('x@good.test', 'bob@acme.test', 'while-down');
  await vi.waitFor(async () => {
    const list = await world.cluster.ctl('--json', 'queue', 'list');
    expect(list.stdout).toContain(queueId);
    expect(list.stdout).toMatch(/deferred/i);
  }, patience);
  await explained(world.cluster, queueId, /deferred/i, 'bob@acme.test');
  await world.nextHop.open();
  await vi.waitFor(() => expect(world.nextHop.having('while-down')).toHaveLength(1), patience);
  await explained(world.cluster, queueId, /delivered/i);
  await vi.waitFor(async () => {
    expect((await world.cluster.ctl('--json', 'queue', 'list')).stdout).not.toContain(queueId);
  }, patience);
});

test('a message without a single octet waits and arrives like any other', async () => {
  await world.nextHop.close();
  const sender = await world.speak('mx');
  const reply = await sender.send({ from: 'x@good.test', to: ['carol@acme.test'], data: Buffer.alloc(0) });
  expect(`${reply.code} ${reply.text}`).toMatch(/^250 /);
  await sender.quit();
  await explained(world.cluster, queueIdOf(reply), /deferred/i, 'carol@acme.test');
  await world.nextHop.open();
  const arrived = () => world.nextHop.messages.filter(({ recipients }) => recipients.includes('carol@acme.test'));
  await vi.waitFor(() => expect(arrived()).toHaveLength(1), patience);
  expect(arrived()[0]?.data.toString()).toMatch(/^Received: from client\.test/m);
});

test('a temporary refusal of the next hop is tried again', async () => {
  const queueId = await accepted('x@good.test', '451-later@open.test', 'temporary');
  await explained(world.cluster, queueId, /deferred/i, '4.3.0 not now');
  // While an attempt runs there is nothing to delete: asked again until it was caught waiting.
  await vi.waitFor(
    async () => expect(await world.cluster.ctlJson('queue', 'delete', queueId)).toMatchObject({ changed: 1 }),
    patience,
  );
});

test.each<[string, string, SpeakOptions]>([
  ['a sender who logged in', 'carol@acme.test', { login: 'carol' }],
  ['a sender whose SPF passes', 'sender@good.test', {}],
])('next hop refuses: %s gets a DSN', async (_name, from, options) => {
  const queueId = await accepted(from, '550-gone@open.test', `refused-${from}`, options);
  await vi.waitFor(() => expect(reportsTo(from)).toHaveLength(1), patience);
  const report = reportsTo(from)[0]?.data.toString() ?? '';
  expect(report).toMatch(/^Content-Type: multipart\/report;[\s\S]*report-type="?delivery-status/im);
  expect(report).toMatch(/^Final-Recipient: rfc822; ?550-gone@open\.test/im);
  expect(report).toMatch(/^Action: failed/im);
  expect(report).toMatch(/^Status: 5\.1\.1/im);
  expect(report).toMatch(/^Auto-Submitted: auto-/im);
  await explained(world.cluster, queueId, /bounced/i, '5.1.1');
  const told = (await world.cluster.ctl('trace', queueId)).stdout;
  const [, reportId = 'none'] = /queue\.notice\.sent .* report=(\w+)/.exec(told) ?? [];
  const ofReport = (await world.cluster.ctl('trace', reportId)).stdout;
  expect(ofReport).toContain(`about=${queueId}`);
  // By what people know of it: the Message-ID of the mail, and that reports have no sender.
  const [, messageId = 'none'] = /Message-ID <([^>]+)>/.exec(told) ?? [];
  expect((await world.cluster.ctl('trace', `<${messageId}>`)).stdout).toContain(`Message ${queueId}`);
  expect((await world.cluster.ctl('trace', '--sender', '<>', '--recipient', from)).stdout).toContain(reportId);
  expect((await world.cluster.ctl('trace', '--sender', '')).stdout).toContain(reportId);
});

test.each<[string, string]>([
  ['refused after DATA', 'data550-content@open.test'],
  ['refused at RCPT', '550-gone@open.test'],
])('no DSN goes to a sender nobody vouches for: %s', async (_name, to) => {
  const queueId = await accepted('victim@plain.test', to, `backscatter-${to}`);
  await explained(world.cluster, queueId, /bounced/i);
  await waitAtRest(world.cluster, 60_000);
  expect(reportsTo('victim@plain.test')).toEqual([]);
});

test('no DSN about a DSN', async () => {
  const queueId = await accepted('', '550-gone@open.test', 'null-sender');
  await explained(world.cluster, queueId, /bounced/i);
  await waitAtRest(world.cluster, 60_000);
  expect(world.nextHop.having('null-sender')).toEqual([]);
});
