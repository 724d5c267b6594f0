import { createServer } from 'node:http';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { seededRandom } from '@postern/clock';
import { describe, expect, test } from 'vitest';
import { SpanExport } from './span-export.js';
import { startTelemetry } from './telemetry.js';
import { parseTraceparent } from './trace-context.js';
import { Tracer } from './tracer.js';

const remote = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

test.each([
  [remote, true],
  [`01-${'a'.repeat(32)}-${'b'.repeat(16)}-01-future`, true],
  [`${remote}-x`, false],
  [`ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, false],
  [`00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, false],
  [`00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`, false],
  [`00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`, false],
  ['', false],
])('parseTraceparent(%j) is %s', (text, valid) => expect(parseTraceparent(text) !== undefined).toBe(valid));

describe('without an exporter', () => {
  test('ids exist, are stable, and children share the trace', () => {
    const tracer = new Tracer(seededRandom(1));
    const span = tracer.startSpan('edge.data');
    expect(span.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(span.traceparent).toBe(span.traceparent);
    const child = tracer.run(span, () => tracer.startSpan('edge.publish'));
    expect(child.traceId).toBe(span.traceId);
    expect(child.spanId).not.toBe(span.spanId);
    expect(tracer.run(span, () => tracer.injectTraceparent())).toBe(span.traceparent);
  });

  test('the sampled flag of the caller is handed on', () => {
    const tracer = new Tracer(seededRandom(1));
    const sent = tracer.withRemoteParent(remote, () => tracer.startSpan('x').traceparent);
    expect(parseTraceparent(sent)).toMatchObject({ traceId: 'a'.repeat(32), sampled: true });
  });

  test.each([undefined, 'nonsense'])('an unusable traceparent (%s) begins a new trace', (text) => {
    const tracer = new Tracer(seededRandom(1));
    const [first, second] = tracer.withRemoteParent(text, () => [
      tracer.injectTraceparent(),
      tracer.injectTraceparent(),
    ]);
    expect(first).toBe(second);
    expect(parseTraceparent(first ?? '')).toBeDefined();
  });
});

describe('with an exporter', () => {
  test('spans are recorded with parent, attributes and failure', async () => {
    const exporter = new InMemorySpanExporter();
    const spanExport = new SpanExport({ service: 'edge', ratio: 1, processor: new SimpleSpanProcessor({ exporter }) });
    const tracer = new Tracer(seededRandom(1), spanExport);
    const failing = tracer.span('outer', { n: 1 }, async () => {
      await tracer.span('inner', {}, () => Promise.resolve());
      throw new Error('no route');
    });
    await expect(failing).rejects.toThrow('no route');
    const [inner, outer] = exporter.getFinishedSpans();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(outer).toMatchObject({ name: 'outer', attributes: { n: 1 }, status: { message: 'no route' } });
    expect(outer?.resource.attributes['service.name']).toBe('postern-edge');
    await tracer.shutdown();
  });

  test('ratio 0 records roots never, and follows a sampled caller', async () => {
    const exporter = new InMemorySpanExporter();
    const spanExport = new SpanExport({ service: 'edge', ratio: 0, processor: new SimpleSpanProcessor({ exporter }) });
    const tracer = new Tracer(seededRandom(1), spanExport);
    tracer.startSpan('root').end();
    tracer.startSpan('called', {}, remote).end();
    expect(exporter.getFinishedSpans().map((span) => span.name)).toEqual(['called']);
    await tracer.shutdown();
  });

  test('batches reach a collector over HTTP before shutdown returns', async () => {
    const received: string[] = [];
    const collector = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      request.on('end', () => {
        received.push(`${request.url} ${body}`);
        response.end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const address = collector.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const telemetry = startTelemetry(
      { level: 'silent', traceSampleRatio: 1, otlpUrl: `http://127.0.0.1:${port}` },
      'edge',
      { processMetrics: false },
    );
    telemetry.tracer.startSpan('edge.data').end();
    await telemetry.shutdown();
    collector.close();
    expect(received.join()).toMatch(/^\/v1\/traces .*edge\.data/s);
  });

  test('a collector that is away does not make shutdown fail', async () => {
    const telemetry = startTelemetry({ level: 'silent', traceSampleRatio: 1, otlpUrl: 'http://127.0.0.1:9' }, 'edge', {
      processMetrics: false,
    });
    telemetry.tracer.startSpan('lost').end();
    await expect(telemetry.shutdown()).resolves.toBeUndefined();
  });
});
