/**
 * Sessions recorded in a running cluster and judged again, checks a rule runs, and refusals at the command a rule names: switched on by posternctl,
 * seen on the wire, in trace and in what `simulate --recorded` says.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { explained, queueIdOf, sessionIdOf } from './explanation.js';
import { withMailWorld } from './mail-world.js';

const world = withMailWorld({
  config: {
    checks: { spf: { enabled: false, onFail: 'reject' }, dkim: { enabled: false }, dmarc: { enabled: false } },
    rules: [
      { id: 'run-spf', event: 'mail', when: 'sender.domain == "bad.test"', then: [{ run: { check: 'spf' } }] },
      { id: 'no-robots', event: 'ehlo', when: 'helo == "robot.test"', then: [{ reject: { text: 'no robots' } }] },
      {
        id: 'no-spoof',
        event: 'mail',
        when: 'sender.domain == "spoof.test"',
        then: [{ reject: { enhanced: '5.7.27', text: 'not yours' } }],
      },
      { id: 'looks-inside', event: 'body', when: 'message.parts > 400', then: [{ tag: { name: 'many-parts' } }] },
    ],
  },
});

const patience = { timeout: 30_000, interval: 250 };

async function sent(from: string, to: string, subject: string) {
  const sender = await world.speak('mx');
  const reply = await sender.send({ from, to: [to], data: buildMessage({ from, to, id: subject, subject }) });
  await sender.quit();
  return reply;
}

interface Replayed {
  readonly same: boolean;
}

const replayed = async (...args: string[]): Promise<Replayed> => {
  const result: unknown = await world.cluster.ctlJson('simulate', '--tenant', 'acme', '--recorded', ...args);
  const isReplayed = typeof result === 'object' && result !== null && 'same' in result;
  if (!isReplayed) throw new Error(JSON.stringify(result));
  return { same: result.same === true };
};

test('a check that is off is made because a rule says so', async () => {
  expect((await sent('a@plain.test', 'bob@acme.test', 'no-check')).code).toBe(250);
  const refused = await sent('a@bad.test', 'bob@acme.test', 'checked');
  expect(`${refused.code} ${refused.text}`).toMatch(/^550 .*SPF/);
  await explained(world.cluster, sessionIdOf(refused), /spf/i);
});

test('refused at EHLO and at MAIL, with codes, words and session id, and found in trace', async () => {
  const sender = await world.speak('mx');
  const greeted = await sender.command('EHLO robot.test');
  expect(`${greeted.code} ${greeted.text}`).toMatch(/^550 5\.7\.1 no robots/);
  await explained(world.cluster, sessionIdOf(greeted), 'no-robots@1');
  await sender.command('EHLO client.test');
  const refused = await sender.command('MAIL FROM:<a@spoof.test>');
  expect(`${refused.code} ${refused.text}`).toMatch(/^550 5\.7\.27 not yours/);
  await explained(world.cluster, sessionIdOf(refused), 'no-spoof@1');
  await sender.quit();
});

test('nothing is recorded until it is switched on, and then it is judged again the same', async () => {
  await sent('a@good.test', 'bob@acme.test', 'before');
  expect(await world.cluster.ctlJson('session', 'record', 'list', '--tenant', 'acme')).toEqual({
    on: false,
    recordings: [],
  });
  expect((await world.cluster.ctl('session', 'record', 'on', '--tenant', 'acme')).code).toBe(0);
  let sessionId = '';
  await vi.waitFor(async () => {
    const reply = await sent('a@good.test', 'bob@acme.test', 'recorded');
    expect(reply.code).toBe(250);
    const trace = await explained(world.cluster, queueIdOf(reply), /"sessionId"/);
    sessionId = /"sessionId": "([0-9A-Z]{26})"/.exec(trace)?.[1] ?? '';
    const list = JSON.stringify(await world.cluster.ctlJson('session', 'record', 'list', '--tenant', 'acme'));
    expect(list).toContain(sessionId);
    // It may have been switched on in the middle of this one.
    const steps = await world.cluster.ctl('session', 'record', 'show', sessionId, '--tenant', 'acme');
    expect(steps.stdout).toMatch(/connect\+ehlo\+mail\+rcpt +accepted/);
  }, patience);
  expect(await replayed(sessionId)).toEqual({ same: true });
  const shown = await world.cluster.ctl('session', 'record', 'show', sessionId, '--tenant', 'acme');
  expect(shown.stdout).toMatch(/headers(\+body)? +accepted/);

  const rule = join(world.cluster.dataDir, 'tried.yaml');
  await writeFile(rule, 'event: rcpt\nwhen: recipient.user == "bob"\nthen:\n  - reject: { text: Bob is away }\n');
  expect(await replayed(sessionId, '--rule', rule)).toEqual({ same: false });
  const text = await world.cluster.ctl('simulate', '--tenant', 'acme', '--recorded', sessionId, '--rule', rule);
  expect(text.stdout).toContain('Bob is away');
  expect(text.stdout).toContain('Not the same as then.');
  await writeFile(
    rule,
    'event: rcpt\nwhen: recipient.user == "bob"\nthen:\n  - tag: { name: vip }\n  - addRecipient: { address: ops@far.test }\n',
  );
  const more = await world.cluster.ctl('simulate', '--tenant', 'acme', '--recorded', sessionId, '--rule', rule);
  expect(more.stdout).toContain('recipient <bob@acme.test>: now also tag name=vip');
  expect(more.stdout).toMatch(/<bob@acme\.test>: then accepted; now accepted as bob@acme\.test, ops@far\.test/);
  expect(more.stdout).toContain('Not the same as then.');
  expect(await replayed(sessionId)).toEqual({ same: true });
});

test('a message of half a megabyte is recorded whole: a rule that is tried knows its content', async () => {
  const [from, to] = ['a@good.test', 'bob@acme.test'];
  const sender = await world.speak('mx');
  const data = buildMessage({ from, to, id: 'large', subject: 'large', size: 500_000 });
  const reply = await sender.send({ from, to: [to], data });
  expect(reply.code).toBe(250);
  await sender.quit();
  const trace = await explained(world.cluster, queueIdOf(reply), /"sessionId"/);
  const sessionId = /"sessionId": "([0-9A-Z]{26})"/.exec(trace)?.[1] ?? '';
  await vi.waitFor(async () => expect(await replayed(sessionId)).toEqual({ same: true }), patience);
  const rule = join(world.cluster.dataDir, 'too-long.yaml');
  await writeFile(rule, 'event: body\nwhen: message.size > 400000\nthen:\n  - reject: { text: Too long }\n');
  const text = await world.cluster.ctl('simulate', '--tenant', 'acme', '--recorded', sessionId, '--rule', rule);
  expect(text.stdout).toContain('Too long');
  expect(text.stdout).not.toContain('too large to be kept');
});

test('a refused session too; switched off nothing more is kept; nobody else reads it', async () => {
  const refused = await sent('a@bad.test', 'carol@acme.test', 'refused');
  const sessionId = sessionIdOf(refused);
  await vi.waitFor(async () => expect(await replayed(sessionId)).toEqual({ same: true }), patience);
  expect((await world.cluster.ctl('session', 'record', 'off', '--tenant', 'acme')).code).toBe(0);
  const other = await world.cluster.ctl('simulate', '--tenant', 'demo', '--recorded', sessionId);
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('no such recording') });
  const { services } = await world.cluster.run();
  const metrics = services.find(({ name }) => name === 'policy')?.metrics ?? '';
  const counted = await (await fetch(new URL('/metrics', metrics))).text();
  expect(counted).toMatch(/postern_policy_recordings_total\{result="kept"\} [1-9]/);
});
