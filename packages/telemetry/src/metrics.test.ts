import { describe, expect, test } from 'vitest';
import { boundedLabel } from './labels.js';
import { Metrics, metricsMarkdown, perMetrics } from './metrics.js';
import { startTelemetry } from './telemetry.js';

describe('Metrics', () => {
  test('a counter with closed labels starts at 0 and counts per combination', async () => {
    const metrics = new Metrics();
    const checks = metrics.counter({
      name: 'postern_policy_check_total',
      help: 'Checks by outcome.',
      labels: { check: ['spf', 'dkim'], outcome: ['pass', 'fail'] },
    });
    const bound = checks.with({ check: 'spf', outcome: 'pass' });
    bound.inc();
    bound.inc(2);
    await metrics.text();
    bound.inc();
    const text = await metrics.text();
    expect(text).toContain('# HELP postern_policy_check_total Checks by outcome.');
    expect(text).toContain('postern_policy_check_total{check="spf",outcome="pass"} 4');
    expect(text).toContain('postern_policy_check_total{check="dkim",outcome="fail"} 0');
    // @ts-expect-error: outside the set
    checks.with({ check: 'spf', outcome: 'maybe' }).inc();
    expect(await metrics.text()).toContain('{check="spf",outcome="other"} 1');
  });

  test('binding twice gives the same child', () => {
    const counter = new Metrics().counter({ name: 'postern_x_y_total', help: 'h', labels: { a: ['b'] } });
    expect(counter.with({ a: 'b' })).toBe(counter.with({ a: 'b' }));
  });

  test('a bounded label keeps its first values and puts the rest into other', async () => {
    const metrics = new Metrics();
    const counter = metrics.counter({ name: 'postern_x_y_total', help: 'h', labels: { tenant: boundedLabel(2) } });
    for (const tenant of ['a', 'b', 'c', 'd', 'a', 'c']) counter.with({ tenant }).inc();
    const text = await metrics.text();
    expect(text).toContain('{tenant="a"} 2');
    expect(text).toContain('{tenant="b"} 1');
    expect(text).toContain('{tenant="other"} 3');
    expect(text).not.toContain('tenant="c"');
  });

  test('gauges are set, moved or read when scraped', async () => {
    const metrics = new Metrics();
    const open = metrics.gauge({ name: 'postern_edge_sessions_open', help: 'h' });
    let depth = 1;
    metrics.gauge({ name: 'postern_edge_queue_depth', help: 'h', read: () => depth });
    open.set(5);
    open.inc();
    open.dec(2);
    await metrics.text();
    depth = 7;
    const text = await metrics.text();
    expect(text).toContain('postern_edge_sessions_open 4');
    expect(text).toContain('postern_edge_queue_depth 7');
  });

  test('histograms count into buckets', async () => {
    const metrics = new Metrics();
    const seconds = metrics.histogram({
      name: 'postern_x_call_seconds',
      help: 'h',
      labels: { m: ['a'] },
      buckets: [0.1, 1],
    });
    seconds.with({ m: 'a' }).observe(0.5);
    metrics.histogram({ name: 'postern_x_plain_seconds', help: 'h' }).observe(0.5);
    const text = await metrics.text();
    expect(text).toContain('postern_x_call_seconds_bucket{le="0.1",m="a"} 0');
    expect(text).toContain('postern_x_call_seconds_bucket{le="1",m="a"} 1');
    expect(text).toContain('postern_x_plain_seconds_count 1');
  });

  test('names follow the rule, and one name is declared once', () => {
    const metrics = new Metrics();
    expect(() => metrics.counter({ name: 'requests_total', help: 'h' })).toThrow(/postern_/);
    metrics.counter({ name: 'postern_x_y_total', help: 'h' });
    expect(() => metrics.counter({ name: 'postern_x_y_total', help: 'h' })).toThrow();
  });

  test('perMetrics makes the metrics of a library once per registry', () => {
    const of = perMetrics((metrics) => ({ calls: metrics.counter({ name: 'postern_x_y_total', help: 'h' }) }));
    const metrics = new Metrics();
    expect(of(metrics)).toBe(of(metrics));
    expect(of(new Metrics())).not.toBe(of(metrics));
  });

  test('declarations are the documentation', () => {
    const metrics = new Metrics();
    metrics.counter({ name: 'postern_x_y_total', help: 'a|b', labels: { l: ['p', 'q'] } });
    expect(metricsMarkdown(metrics.describe())).toContain('| `postern_x_y_total` | counter | l: p, q | a\\|b |');
  });
});

test('process metrics are there by default', async () => {
  const { metrics } = startTelemetry({ level: 'silent', traceSampleRatio: 0 }, 'edge');
  const text = await metrics.text();
  expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  expect(text).toContain('process_resident_memory_bytes');
});
