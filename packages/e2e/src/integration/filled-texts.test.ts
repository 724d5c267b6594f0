/** Facts in texts of rules, in a running cluster: in the banner, in a refusal with the words of a blocklist, in a field of the message and in a report. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is filled in is written so
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const listed = '127.31.1.1';
const clean = '127.31.1.2';

const world = withMailWorld({
  zone: { '1.1.31.127.bl.test': { A: ['127.0.0.2'], TXT: ['open proxy'] } },
  config: {
    checks: { dnsbl: { zones: ['bl.test'], selfTest: false } },
    rules: [
      { id: 'hello', event: 'connect', then: [{ greeting: { text: 'you are ${client.address}, costs $${0}' } }] },
      {
        id: 'listed',
        event: 'rcpt',
        when: 'dnsbl.listed',
        then: [{ reject: { text: '${dnsbl.texts}: https://${dnsbl.zones}/?ip=${client.address}' } }],
      },
      {
        id: 'told',
        event: 'body',
        then: [
          { addHeader: { name: 'X-Told', value: '${recipient.address} ${message.size} ${spf.result} ${helo}' } },
          { changeHeader: { name: 'Subject', prefix: '[EXTERNAL ${client.address}] ' } },
        ],
      },
      {
        id: 'report',
        event: 'delivery-failure',
        then: [{ ndrText: { text: 'tried ${failure.attempts} for ${sender.user}' } }],
      },
    ],
  },
});

async function connected(address: string): Promise<SmtpSender> {
  const sender = await SmtpSender.open({ port: await world.cluster.port('mx'), localAddress: address });
  const banner = await sender.reply();
  expect(banner.text).toMatch(new RegExp(`you are ${address}, costs \\$\\{0\\}$`));
  await sender.command('EHLO client.test');
  await sender.command('MAIL FROM:<ann@good.test>');
  return sender;
}

test('a refusal tells the words of the list and where to look them up', async () => {
  const sender = await connected(listed);
  const reply = await sender.command('RCPT TO:<bob@acme.test>');
  expect(reply.code).toBe(550);
  expect(reply.text).toMatch(/^5\.7\.1 open proxy: https:\/\/bl\.test\/\?ip=127\.31\.1\.1 \([0-9A-Z]{26}\)$/);
  await sender.quit();
  const described = ['--client', listed, '--from', 'ann@good.test', '--to', 'bob@acme.test'];
  const { stdout } = await world.cluster.ctl('simulate', ...described);
  expect(stdout).toContain('open proxy: https://bl.test/?ip=127.31.1.1');
});

async function delivered(to: string, id: string, subject: string): Promise<void> {
  const sender = await connected(clean);
  await sender.command(`RCPT TO:<${to}>`);
  await sender.command('DATA');
  sender.write(buildMessage({ from: 'ann@good.test', to, id, subject }));
  expect((await sender.command('.')).code).toBe(250);
  await sender.quit();
}

const patience = { timeout: 30_000, interval: 250 };
const textsOf = (id: string): string[] =>
  world.nextHop.having(`<${id}@client.test>`).map(({ data }) => data.toString('utf8'));

test('a field of the message, and its subject with words before it', async () => {
  await delivered('bob@acme.test', 'told', 'Hello');
  const text = await vi.waitUntil(() => textsOf('told')[0], patience);
  expect(text).toMatch(/^X-Told: bob@acme\.test \d+ pass client\.test\r$/m);
  expect(text).toMatch(/^Subject: \[EXTERNAL 127\.31\.1\.2\] Hello\r$/m);
});

test('a report', async () => {
  await delivered('550-never@open.test', 'lost', 'Lost');
  const report = await vi.waitUntil(() => textsOf('lost').find((text) => text.includes('tried 1 for ann')), patience);
  expect(report).toContain('tried 1 for ann');
});
