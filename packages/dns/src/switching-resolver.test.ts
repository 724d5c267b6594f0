/** Settings of a snapshot take effect without a restart; the same settings again keep the cache. */
import { FakeClock } from '@postern/clock';
import { expect, it } from 'vitest';
import { type ResolverSettings, SwitchingResolver } from './switching-resolver.js';
import { createZone } from './testing/index.js';

it('makes a resolver for each change, and none for the same settings', () => {
  const made: ResolverSettings[] = [];
  const clock = new FakeClock();
  const resolver = new SwitchingResolver(clock, { servers: ['127.0.0.1:53'] }, (settings) => {
    made.push(settings);
    return createZone({}, clock);
  });
  resolver.use({ servers: [], timeoutMs: 0, hedgeMs: 0, serveStaleMs: 0 });
  expect(made).toHaveLength(1);
  resolver.use({ servers: [], timeoutMs: 700, hedgeMs: 0, serveStaleMs: 60_000 });
  resolver.use({ servers: [], timeoutMs: 700, hedgeMs: 0, serveStaleMs: 60_000 });
  resolver.use({ servers: ['127.0.0.2:53'], timeoutMs: 700 });
  expect(made.slice(1)).toEqual([
    { servers: ['127.0.0.1:53'], timeoutMs: 700, serveStaleMs: 60_000 },
    { servers: ['127.0.0.2:53'], timeoutMs: 700 },
  ]);
});
