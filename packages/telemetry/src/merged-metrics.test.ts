import { expect, test } from 'vitest';
import { MergedMetrics } from './merged-metrics.js';
import { Metrics } from './metrics.js';

function process() {
  const metrics = new Metrics();
  return {
    metrics,
    mail: metrics.counter({ name: 'postern_x_mail_total', help: 'h', labels: { reply: ['2xx', '4xx'] } }),
    seconds: metrics.histogram({ name: 'postern_x_wait_seconds', help: 'h', buckets: [1, 10] }),
    sessions: metrics.gauge({ name: 'postern_x_sessions_open', help: 'h' }),
    version: metrics.gauge({ name: 'postern_x_snapshot_version', help: 'h', merge: 'min' }),
    shed: metrics.gauge({ name: 'postern_x_shed_now', help: 'h', merge: 'max' }),
    state: metrics.gauge({ name: 'postern_x_state_active', help: 'h', labels: { state: ['up'] }, merge: 'first' }),
  };
}

const lines = async (merged: MergedMetrics): Promise<string[]> =>
  (await merged.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('counters and histograms are summed, gauges as they say, and what a dead process counted stays', async () => {
  const own = new Metrics();
  own
    .gauge({ name: 'postern_x_state_active', help: 'h', labels: { state: ['up'] }, merge: 'first' })
    .with({ state: 'up' })
    .set(7);
  const merged = new MergedMetrics(own);
  const [one, two] = [process(), process()];
  for (const [index, { mail, seconds, sessions, version, shed, state }] of [one, two].entries()) {
    mail.with({ reply: '2xx' }).inc(10 + index);
    seconds.observe(index === 0 ? 0.5 : 5);
    sessions.set(3);
    version.set(5 + index);
    shed.set(index);
    state.with({ state: 'up' }).set(1);
  }
  merged.take(1, await one.metrics.readings());
  merged.take(2, await two.metrics.readings());
  expect(await lines(merged)).toEqual(
    expect.arrayContaining([
      'postern_x_mail_total{reply="2xx"} 21',
      'postern_x_mail_total{reply="4xx"} 0',
      'postern_x_wait_seconds_bucket{le="1"} 1',
      'postern_x_wait_seconds_bucket{le="+Inf"} 2',
      'postern_x_wait_seconds_sum 5.5',
      'postern_x_wait_seconds_count 2',
      'postern_x_sessions_open 6',
      'postern_x_snapshot_version 5',
      'postern_x_shed_now 1',
      'postern_x_state_active{state="up"} 7',
    ]),
  );

  merged.retire(1);
  const replaced = process();
  replaced.mail.with({ reply: '2xx' }).inc(1);
  merged.take(3, await replaced.metrics.readings());
  merged.retire(3);
  merged.retire(3);
  expect(await lines(merged)).toEqual(
    expect.arrayContaining([
      'postern_x_mail_total{reply="2xx"} 22',
      'postern_x_wait_seconds_count 2',
      'postern_x_sessions_open 3',
      'postern_x_snapshot_version 6',
    ]),
  );
});

test('with nobody left the counters are still there, and the gauges are not', async () => {
  const merged = new MergedMetrics(new Metrics());
  const one = process();
  one.mail.with({ reply: '4xx' }).inc();
  one.sessions.set(1);
  merged.take(1, await one.metrics.readings());
  merged.retire(1);
  const text = await merged.text();
  expect(text).toContain('# TYPE postern_x_mail_total counter');
  expect(text).toContain('postern_x_mail_total{reply="4xx"} 1');
  expect(text).not.toContain('postern_x_sessions_open');
});
