/** What a client is told when it does something it may not, and that an administrator finds the reason by the id in the reply. */
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { explained, sessionIdOf } from './explanation.js';
import { password, withMailWorld } from './mail-world.js';

const connectionsPerIp = 4;
const world = withMailWorld({
  config: {
    limits: { messageSize: '1MiB', connectionsPerIp },
    listeners: { submission: { limits: { bytesPerSession: '350KiB' } } },
    messageLimits: { perUser: { bytes: '500KiB', interval: '1h' } },
    checks: { spf: { onFail: 'reject' } },
  },
});

const letter = (from: string, to: string, size = 0) => ({
  from,
  to: [to],
  data: buildMessage({ from, to, size }),
});

test('a wrong password is 535, an unknown login answers the same', async () => {
  const sender = await world.speak('submission');
  for (const [login, secret] of [
    ['bob@acme.test', 'wrong'],
    ['nobody@acme.test', password],
  ] as const) {
    const reply = await sender.auth(login, secret);
    expect(`${reply.code} ${reply.text}`).toMatch(/^535 5\.7\.8 /);
    await explained(world.cluster, sessionIdOf(reply), 'edge.login.refused', login);
  }
  const mail = await sender.command('MAIL FROM:<unsaid@acme.test>');
  expect(`${mail.code} ${mail.text}`).toMatch(/^530 5\.7\.0 /);
  await explained(world.cluster, sessionIdOf(mail), 'edge.sender.rejected', 'unsaid@acme.test');
  await sender.quit();
});

test.each([
  ['mx', 'AUTH PLAIN AGEAYg==', /^502 5\.5\.1 /, 'AUTH PLAIN'],
  ['mx', 'STARTTLS now', /^501 5\.5\.4 /, 'STARTTLS'],
  ['mx', 'SITE exec', /^500 5\.5\.2 /, 'SITE'],
] as const)('on %s %s is refused and explained', async (listener, command, expected, reason) => {
  const sender = await world.speak(listener);
  const reply = await sender.command(command);
  expect(`${reply.code} ${reply.text}`).toMatch(expected);
  await explained(world.cluster, sessionIdOf(reply), 'edge.command.rejected', reason, String(reply.code));
  await sender.quit();
});

test('AUTH before TLS is 538 and explained, without what came with it', async () => {
  const sender = await SmtpSender.open({ port: await world.cluster.port('submission') });
  await sender.greet();
  const reply = await sender.command('AUTH PLAIN AGEAYg==');
  expect(`${reply.code} ${reply.text}`).toMatch(/^538 5\.7\.11 /);
  await explained(world.cluster, sessionIdOf(reply), 'edge.command.rejected', 'AUTH PLAIN', '538');
  const shown = await world.cluster.ctl('trace', sessionIdOf(reply));
  expect(shown.stdout).not.toContain('AGEAYg');
  await sender.quit();
});

test.each<[string, string, string, RegExp]>([
  ['an unknown recipient', 'x@good.test', 'stranger@acme.test', /^550 5\.1\.1 /],
  ['a relay attempt', 'x@good.test', 'someone@elsewhere.test', /^550 5\.7\.1 /],
  ['a relay attempt with a local sender', 'bob@acme.test', 'someone@elsewhere.test', /^550 5\.7\.1 /],
  ['a relay attempt by source route', 'x@good.test', '@acme.test:someone@elsewhere.test', /^550 5\.7\.1 /],
])('%s is refused', async (_name, from, to, expected) => {
  const sender = await world.speak('mx');
  const reply = await sender.send(letter(from, to));
  expect(`${reply.code} ${reply.text}`).toMatch(expected);
  const recipient = to.slice(to.indexOf(':') + 1);
  await explained(world.cluster, sessionIdOf(reply), 'edge.recipient.rejected', recipient, String(reply.code));
  await sender.quit();
});

test('a relay attempt by percent hack never leaves', async () => {
  const sender = await world.speak('mx');
  const reply = await sender.send(letter('x@good.test', 'someone%elsewhere.test@acme.test'));
  expect(`${reply.code} ${reply.text}`).toMatch(/^55\d 5\.1\.\d /);
  await sender.quit();
});

test('a failed SPF is refused, a passing one is not', async () => {
  const sender = await world.speak('mx');
  const reply = await sender.send(letter('x@bad.test', 'bob@acme.test'));
  expect(`${reply.code} ${reply.text}`).toMatch(/^550 5\.7\.23 /);
  await explained(world.cluster, sessionIdOf(reply), 'edge.recipient.rejected', 'x@bad.test', /spf/i);
  expect((await sender.send(letter('x@good.test', 'bob@acme.test'))).code).toBe(250);
  await sender.quit();
});

test('oversize is 552 at MAIL when announced, and while it streams when not', async () => {
  const sender = await world.speak('mx');
  const announced = await sender.command('MAIL FROM:<x@good.test> SIZE=2000000');
  expect(`${announced.code} ${announced.text}`).toMatch(/^552 5\.3\.4 /);
  await explained(world.cluster, sessionIdOf(announced), 'edge.sender.rejected', '5.3.4');
  const streamed = await sender.send(letter('x@good.test', 'bob@acme.test', 2_000_000));
  expect(`${streamed.code} ${streamed.text}`).toMatch(/^552 5\.3\.4 /);
  await explained(world.cluster, sessionIdOf(streamed), 'edge.message.rejected', '5.3.4');
  // Beside what the session delivered, found by both addresses, in words.
  for (const by of ['--recipient bob@acme.test', '--sender x@good.test']) {
    const { stdout } = await world.cluster.ctl('trace', ...by.split(' '));
    expect(stdout).toMatch(
      /^Message \w{26} \(refused\), session \w{26} from <x@good\.test>\n(.*\n)*.* reason: the message is larger than is taken; size=/m,
    );
  }
  expect((await sender.send(letter('x@good.test', 'bob@acme.test', 900_000))).code).toBe(250);
  await sender.quit();
});

test('what no interval and no session has room for is 552, what another session has room for is 421', async () => {
  const sender = await world.speak('submission', { login: 'bob' });
  const to = 'carol@acme.test';
  const never = await sender.send(letter('bob@acme.test', to, 600_000));
  expect(`${never.code} ${never.text}`).toMatch(
    /^552 5\.3\.4 message exceeds the 512000 bytes user bob@acme\.test may send in 1h/,
  );
  await explained(world.cluster, sessionIdOf(never), 'edge.message.rejected', 'user bytes limit');
  const announced = await sender.command('MAIL FROM:<bob@acme.test> SIZE=600000');
  expect(`${announced.code} ${announced.text}`).toMatch(
    /^552 5\.3\.4 message exceeds the 512000 bytes user bob@acme\.test may/,
  );
  expect((await sender.send(letter('bob@acme.test', to, 200_000))).code).toBe(250);
  const full = await sender.send(letter('bob@acme.test', to, 200_000));
  expect(`${full.code} ${full.text}`).toMatch(/^421 4\.7\.0 this session has brought its share/);
  await explained(world.cluster, sessionIdOf(full), 'edge.message.rejected', 'session bytes limit');
  sender.destroy();
  const another = await world.speak('submission', { login: 'bob' });
  expect((await another.send(letter('bob@acme.test', to, 200_000))).code).toBe(250);
  const later = await another.send(letter('bob@acme.test', to, 130_000));
  expect(`${later.code} ${later.text}`).toMatch(
    /^450 4\.7\.1 no more than 512000 bytes in 1h from user bob@acme\.test, try again in 3[56]\d\d s \(/,
  );
  await explained(world.cluster, sessionIdOf(later), 'edge.message.rejected', 'user bytes limit 512000 in 1h ');
  await another.quit();
});

test.each<[string, string]>([
  ['a bare LF', 'one\ntwo\r\n'],
  ['a bare CR', 'one\rtwo\r\n'],
  ['a smuggled end of data', 'one\n.\r\nMAIL FROM:<x@good.test>\r\n'],
  ['a smuggled end of data, bare both', 'one\r\n.\nMAIL FROM:<x@good.test>\r\n'],
])('%s in a message is refused and nothing of it leaves', async (name, body) => {
  const subject = `smuggle-${name.replaceAll(/[ ,]+/g, '-')}`;
  const sender = await world.speak('mx');
  const head = buildMessage({ from: 'x@good.test', to: 'bob@acme.test', subject });
  const data = Buffer.concat([head, Buffer.from(body)]);
  const reply = await sender.send({ from: 'x@good.test', to: ['bob@acme.test'], data });
  expect(`${reply.code} ${reply.text}`).toMatch(/^550 5\.6\.11 /);
  await explained(world.cluster, sessionIdOf(reply), 'edge.message.rejected', '5.6.11');
  // The session is still in step: what was inside the message was not read as commands.
  expect((await sender.send(letter('x@good.test', 'bob@acme.test'))).code).toBe(250);
  await sender.quit();
  expect(world.nextHop.having(subject)).toEqual([]);
});

test('one connection too many of an address is 421, others are not concerned, and the share returns', async () => {
  const localAddress = '127.0.0.9';
  const port = await world.cluster.port('mx');
  const held = await Promise.all(Array.from({ length: connectionsPerIp }, () => world.speak('mx', { localAddress })));
  const refused = await SmtpSender.open({ port, localAddress });
  const reply = await refused.reply();
  expect(`${reply.code} ${reply.text}`).toMatch(/^421 4\.7\.0 /);
  await explained(world.cluster, sessionIdOf(reply), 'edge.session.refused', localAddress);
  const other = await world.speak('mx', { localAddress: '127.0.0.10' });
  await other.quit();
  for (const sender of held) await sender.quit();
  const again = await vi.waitFor(() => world.speak('mx', { localAddress }), { timeout: 30_000, interval: 300 });
  await again.quit();
});
