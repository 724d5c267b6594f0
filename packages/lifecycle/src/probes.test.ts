import { Metrics } from '@postern/telemetry';
import { expect, test } from 'vitest';
import { type Readiness, serveProbes } from './probes.js';

test('the operations port answers probes and metrics', async () => {
  const metrics = new Metrics();
  metrics.counter({ name: 'postern_x_y_total', help: 'h' }).inc();
  let readiness: Readiness = { ok: false, reasons: ['no snapshot', 'no stream'] };
  const probes = await serveProbes({
    address: { host: '127.0.0.1', port: 0 },
    metrics,
    live: () => ({ ok: true, reasons: [] }),
    ready: () => readiness,
  });
  const get = async (path: string, method = 'GET'): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${probes.port}${path}`, { method });
    return `${response.status} ${await response.text()}`;
  };
  expect(await get('/healthz')).toBe('200 ok\n');
  expect(await get('/readyz')).toBe('503 no snapshot\nno stream\n');
  readiness = { ok: true, reasons: [] };
  expect(await get('/readyz?verbose')).toBe('200 ok\n');
  expect(await get('/metrics')).toContain('postern_x_y_total 1');
  expect(await get('/other')).toMatch(/^404/);
  expect(await get('/metrics', 'POST')).toMatch(/^405/);
  await probes.close();
  await expect(get('/healthz')).rejects.toThrow();
});

test('a taken port is an error of the start', async () => {
  const options = {
    metrics: new Metrics(),
    live: () => ({ ok: true, reasons: [] }),
    ready: () => ({ ok: true, reasons: [] }),
  };
  const first = await serveProbes({ ...options, address: { host: '127.0.0.1', port: 0 } });
  const taken = { host: '127.0.0.1', port: first.port };
  await expect(serveProbes({ ...options, address: taken })).rejects.toThrow(/EADDRINUSE/);
  await first.close();
});
