/** Where an event of a session goes: log, metric, trace. */
import { systemClock } from '@postern/clock';
import type { TraceEvent } from '@postern/proto/mail/v1/trace';
import { replies } from '@postern/smtp-core';
import { captureTelemetry } from '@postern/telemetry/testing';
import { expect, test } from 'vitest';
import type { EdgeEventFacts, EdgeEventName } from './journal.js';
import { edgeMetrics } from './metrics.js';
import { openSession } from './session.js';
import { createTelemetryJournal } from './telemetry-journal.js';

const session = openSession({
  id: '01J00000000000000000000000',
  listener: { name: 'submissions', role: 'submissions' },
  clientAddress: '192.0.2.9',
  clientPort: 4711,
  localAddress: '198.51.100.1',
  localPort: 465,
  startedAtMs: 0,
  traceparent: '',
  tls: undefined,
});

test.each<[EdgeEventName, EdgeEventFacts, { traced: number; level: string; metric: string }]>([
  [
    'edge.proxy.refused',
    { detail: { reason: 'no PROXY header' }, reply: replies.proxyMissing },
    { traced: 1, level: 'warn', metric: 'postern_edge_proxy_refused_total 1' },
  ],
  [
    'edge.proxy.refused',
    { detail: { reason: 'connection closed' }, untraced: true },
    { traced: 0, level: 'warn', metric: 'postern_edge_proxy_refused_total 1' },
  ],
  [
    'edge.tls.failed',
    { detail: { reason: 'no client certificate' } },
    { traced: 1, level: 'info', metric: 'postern_edge_tls_failures_total 1' },
  ],
])('%s with %j', async (event, facts, expected) => {
  const traced: TraceEvent[] = [];
  const telemetry = captureTelemetry('edge', 'info');
  const journal = createTelemetryJournal({
    clock: systemClock,
    log: telemetry.log,
    metrics: edgeMetrics(telemetry.metrics),
    trace: { add: (one) => void traced.push(one), flush: () => undefined },
  });
  journal.record(event, session, facts);
  expect(telemetry.lines).toMatchObject([
    {
      event,
      level: expected.level,
      session_id: session.id,
      client: '192.0.2.9',
      listener: 'submissions',
      ...facts.detail,
    },
  ]);
  expect(traced).toHaveLength(expected.traced);
  for (const one of traced)
    expect(one).toMatchObject({ event, sessionId: session.id, detail: { client: '192.0.2.9' } });
  expect(await telemetry.metrics.text()).toContain(expected.metric);
});
