/** The recipes of docs/recipes that a session decides, as they are, over real sockets; policy is a double that takes everything. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locateYaml, plainOf } from '@postern/config';
import { Action, EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
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

function recipe(name: string): object[] {
  const path = join(import.meta.dirname, '../../../../docs/recipes', name);
  const file = plainOf(locateYaml(readFileSync(path, 'utf8'), name));
  const rules = typeof file === 'object' && file !== null && 'rules' in file ? file.rules : undefined;
  if (!Array.isArray(rules)) throw new Error(`${name}: no rules`);
  return rules.map((rule, index) => ({
    ...{ id: `${name}-${index}`, version: 1, scope: 'server', tenant: '' },
    document: JSON.stringify(rule),
  }));
}

async function connect(name: string, doubles = new Doubles()): Promise<RawClient> {
  doubles.setSnapshot({
    rules: recipe(name),
    relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }],
    listeners: [
      { name: 'mx', role: 'mx', authMechanismsPlain: ['PLAIN'], authMechanismsTls: ['PLAIN'], requireAuth: false },
    ],
  });
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  await client.reply();
  return client;
}

const codes = async (client: RawClient, ...lines: string[]): Promise<(string | undefined)[]> => {
  const said: (string | undefined)[] = [];
  for (const line of lines) said.push((await client.command(line))?.slice(0, 3));
  return said;
};

async function upgrade(client: RawClient): Promise<void> {
  await client.command('STARTTLS');
  await client.startTls();
}

test('auth-after-tls: exactly no AUTH until TLS, AUTH after it', async () => {
  const client = await connect('auth-after-tls.yaml');
  expect(await client.command('EHLO c.test')).not.toContain('AUTH');
  expect(await codes(client, 'AUTH PLAIN AGEAYg==')).not.toEqual(['235']);
  await upgrade(client);
  expect(await client.command('EHLO c.test')).toContain('AUTH PLAIN LOGIN');
  client.destroy();
});

test('starttls-for-one-domain', async () => {
  const client = await connect('starttls-for-one-domain.yaml');
  const envelope = ['EHLO c.test', 'MAIL FROM:<a@s.test>', 'RCPT TO:<bob@example.test>'];
  expect(await codes(client, ...envelope, 'RCPT TO:<bob@xn--bcher-kva.test>')).toEqual(['250', '250', '530', '250']);
  await upgrade(client);
  expect(await codes(client, ...envelope)).toEqual(['250', '250', '250']);
  client.destroy();
});

test('relay-to-one-domain: one domain, TLS 1.3 only', async () => {
  const client = await connect('relay-to-one-domain.yaml');
  const envelope = ['EHLO c.test', 'MAIL FROM:<a@s.test>', 'RCPT TO:<x@partner.test>', 'RCPT TO:<x@elsewhere.test>'];
  expect(await codes(client, ...envelope)).toEqual(['250', '250', '550', '550']);
  await upgrade(client);
  expect(await codes(client, ...envelope)).toEqual(['250', '250', '250', '550']);
  client.destroy();
});

test('size-by-sender: larger than the listener for one, smaller for another', async () => {
  const client = await connect('size-by-sender.yaml');
  const large = 'SIZE=90000000';
  await client.command('EHLO c.test');
  expect(await codes(client, `MAIL FROM:<scanner@example.test> ${large}`, 'RSET')).toEqual(['250', '250']);
  expect(await codes(client, `MAIL FROM:<other@example.test> ${large}`)).toEqual(['552']);
  expect(await codes(client, 'MAIL FROM:<a@news.test> SIZE=1048577', 'MAIL FROM:<a@news.test> SIZE=1048576')).toEqual([
    '552',
    '250',
  ]);
  client.destroy();
});

test('logins-by-country: AUTH itself waits for policy, which hears of right and wrong passwords; the answers are one', async () => {
  const doubles = new Doubles();
  const stages: Stage[][] = [];
  let decided = EvaluateResponse.fromPartial({
    decision: { action: Action.REJECT, replyCode: 535, enhancedCode: '5.7.8', text: 'no', decidedBy: 'c@1' },
  });
  doubles.evaluate = (request) => {
    stages.push([...request.stages]);
    return { kind: 'verdict', verdict: decided };
  };
  const client = await connect('logins-by-country.yaml', doubles);
  await client.command('EHLO c.test');
  const plain = (password: string) =>
    `AUTH PLAIN ${Buffer.from(`\0user@example.test\0${password}`).toString('base64')}`;
  const said = async (password: string) => (await client.command(plain(password)))?.replace(/\([^)]*\)/, '()');
  const right = await said('Correct-horse-7-battery');
  expect(right).toMatch(/^535 5\.7\.8 no/);
  expect(await said('wrong')).toBe(right);
  expect(stages).toEqual([[Stage.AUTH], [Stage.AUTH]]);
  decided = EvaluateResponse.fromPartial({});
  expect(await said('wrong')).not.toBe(right);
  doubles.evaluate = () => ({ kind: 'unavailable', reason: 'away' });
  expect(await codes(client, plain('Correct-horse-7-battery'))).toEqual(['454']);
  doubles.evaluate = () => ({ kind: 'verdict', verdict: decided });
  expect(await codes(client, plain('Correct-horse-7-battery'))).toEqual(['235']);
  client.destroy();
});
