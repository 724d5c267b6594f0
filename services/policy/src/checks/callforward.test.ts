/** The next hop is a real SMTP conversation; its answer is asked for once. */
import { createServer } from 'node:net';
import { systemClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCallForward } from '../call-forward/call-forward.js';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const commands: string[] = [];
const hop = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.write('220 hop.test\r\n');
  socket.on('data', (octets) => {
    for (const line of octets.toString().split('\r\n').filter(Boolean)) {
      commands.push(line);
      if (line.includes('<unknown@')) socket.write('550 5.1.1 no such user\r\n');
      else if (line.includes('<busy@')) socket.write('450 4.2.1 try later\r\n');
      else if (line === 'QUIT') socket.end('221 bye\r\n');
      else socket.write('250 ok\r\n');
    }
  });
});
let port = 0;
beforeAll(async () => {
  await new Promise<void>((resolve) => hop.listen(0, '127.0.0.1', resolve));
  const bound = hop.address();
  port = typeof bound === 'object' && bound !== null ? bound.port : 0;
});
afterAll(() => {
  hop.close();
});

function here(to: number) {
  const callForward = createCallForward({
    clock: systemClock,
    resolver: createZone({ 'hop.test': { A: ['127.0.0.1'] } }),
    redis: undefined,
    localName: 'mx.postern.test',
  });
  return ground({
    tools: { callForward },
    snapshot: {
      ...settings({ callforward: {} }),
      domains: [{ name: 'here.test', tenant: 't1', validateRecipients: false, nextHop: 'hop', catchAll: '' }],
      nextHops: [{ name: 'hop', hosts: [{ host: 'hop.test', port: to }] }],
    },
  });
}

test('known passes, unknown is 550, what cannot be asked is 451; each is asked once', async () => {
  const at = here(port);
  const to = ['known@here.test', 'unknown@here.test', 'busy@here.test'];
  for (const _time of [1, 2]) {
    const { recipients } = await askEnvelope(at, { to });
    expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.REJECT, Action.TEMPFAIL]);
  }
  const asked = (name: string): number => commands.filter((line) => line === `RCPT TO:<${name}@here.test>`).length;
  expect([asked('known'), asked('unknown'), asked('busy')]).toEqual([1, 1, 2]);
  expect(commands).toContain('MAIL FROM:<>');
  expect(commands.some((line) => line.startsWith('DATA'))).toBe(false);
});

test('a next hop that is not there is 451, never unknown', async () => {
  const { recipients } = await askEnvelope(here(1));
  expect(recipients[0]?.decision?.action).toBe(Action.TEMPFAIL);
});
