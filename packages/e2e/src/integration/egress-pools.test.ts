/** Egress pools on a running cluster: one nobody declared cannot be named, and mail of a declared one that no delivery pod takes waits, seen, while the rest goes on. */
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const blueTenant = (port: number) => ({
  name: 'slow',
  domains: [{ name: 'slow.test', nextHop: 'blue', validateRecipients: false }],
  routes: [{ name: 'blue', hosts: [{ host: '127.0.0.1', port }], egressPool: 'blue' }],
});
const world = withMailWorld({ config: { provisioning: { egressPools: ['default', 'blue'] } } });
const patience = { timeout: 60_000, interval: 500 };

async function send(to: string): Promise<void> {
  const sender = await world.speak('mx');
  const reply = await sender.send({
    from: 'x@good.test',
    to: [to],
    data: buildMessage({ from: 'x@good.test', to, id: to, subject: to }),
  });
  expect(`${reply.code} ${reply.text}`).toMatch(/^250 /);
  await sender.quit();
}

test('mail of a pool no pod takes waits and is told; a pool nobody declared is refused', {
  timeout: 200_000,
}, async () => {
  const { cluster, nextHop } = world;
  const route = ['route', 'add', 'main', '--tenant', 'acme', '--host', `127.0.0.1:${nextHop.port}`, '--pool'];
  expect((await cluster.ctl(...route, 'nosuch')).stderr).toContain(
    'route.egress_pool: "nosuch" is not allowed; expected one of default, blue',
  );
  const acme = {
    name: 'acme',
    domains: [{ name: 'open.test', nextHop: 'hop', validateRecipients: false }],
  };
  await world.reconfigure({ tenants: [acme, blueTenant(nextHop.port)] });
  await vi.waitFor(() => send('a@slow.test'), patience);
  await vi.waitFor(async () => {
    expect((await cluster.ctl('status')).stdout).toMatch(
      /^queue +egress pools +degraded +no delivery pod takes what waits in WORK: 1 message of blue$/m,
    );
    expect((await cluster.ctl('queue')).stdout).toContain(
      'In WORK and no delivery pod takes it: 1 for egress pool blue',
    );
  }, patience);
  await send('b@open.test');
  const arrived = (to: string) => nextHop.messages.filter(({ recipients }) => recipients.includes(to));
  await vi.waitFor(() => expect(arrived('b@open.test')).toHaveLength(1), patience);
  expect(arrived('a@slow.test')).toEqual([]);
});
