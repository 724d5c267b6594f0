/** What the pod says when it bans, over a real store. */
import { systemClock } from '@postern/clock';
import { RedisLimitStore } from '@postern/flow-control';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withRedis } from '@postern/testkit';
import { expect, test } from 'vitest';
import { edgeMetrics } from '../metrics.js';
import { openSession } from '../session.js';
import { Doubles } from '../testing/doubles.js';
import { openMisuse } from './misuse.js';

const redis = withRedis();

test('an IPv6 client that is banned is written as people write it', async () => {
  const store = new RedisLimitStore({ url: redis.url, commandTimeoutMs: 5_000 });
  await store.ready(5_000);
  const telemetry = captureTelemetry('edge', 'info');
  const doubles = new Doubles();
  doubles.setSnapshot({ errorControl: { badCommands: 1, intervalMs: 60_000, banMs: 60_000, longestBanMs: 60_000 } });
  const { log } = telemetry;
  const metrics = edgeMetrics(telemetry.metrics);
  const misuse = await openMisuse({ store, clock: systemClock, log, metrics, snapshot: () => doubles.snapshot });
  const session = openSession({
    id: '01J00000000000000000000000',
    listener: { name: 'mx', role: 'mx' },
    clientAddress: '2001:db8:0:1::5',
    clientPort: 4711,
    localAddress: '::1',
    localPort: 25,
    startedAtMs: 0,
    traceparent: '',
    tls: undefined,
  });
  misuse.control.failed(session, 'bad_command');
  misuse.control.failed(session, 'bad_command');
  await expect
    .poll(() => telemetry.events('edge.client.banned'))
    .toMatchObject([{ client: '2001:db8:0:1::/64', kind: 'bad_command', seconds: 60 }]);
  misuse.stop();
  await store.close();
});
