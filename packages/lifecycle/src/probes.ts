/**
 * The operations port: /metrics for Prometheus, /healthz (the process lives) and /readyz (send work) for Kubernetes.
 * Not for the public: it has no authentication, so it is bound to an address only the platform reaches.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where the exposition comes from: this process, or all of its pod. */
export interface MetricsSource {
  text(): Promise<string>;
  readonly contentType: string;
}

export interface Readiness {
  readonly ok: boolean;
  /** Why not, one short sentence each; empty when ok. */
  readonly reasons: readonly string[];
}

export interface ProbeOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly metrics: MetricsSource;
  /** Who does the work, as JSON at /workers; undefined = this process does. */
  readonly workers?: () => readonly object[];
  readonly live: () => Readiness;
  readonly ready: () => Readiness;
}

export interface Probes {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveProbes(options: ProbeOptions): Promise<Probes> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'only GET\n');
    else if (path === '/metrics' || path === '/') void answerMetrics(response, options.metrics);
    else if (path === '/healthz') answerReadiness(response, options.live());
    else if (path === '/readyz') answerReadiness(response, options.ready());
    else if (path === '/workers' && options.workers !== undefined)
      answer(response, 200, `${JSON.stringify(options.workers())}\n`, 'application/json');
    else answer(response, 404, '/metrics /healthz /readyz\n');
  });
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  server.maxConnections = 64;
  await listen(server, options.address);
  return { port: portOf(server), close: () => close(server) };
}

async function answerMetrics(response: ServerResponse, metrics: MetricsSource): Promise<void> {
  try {
    answer(response, 200, await metrics.text(), metrics.contentType);
  } catch {
    answer(response, 500, 'metrics could not be collected\n');
  }
}

function answerReadiness(response: ServerResponse, { ok, reasons }: Readiness): void {
  answer(response, ok ? 200 : 503, ok ? 'ok\n' : `${reasons.join('\n')}\n`);
}

function answer(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}

function listen(server: Server, { host, port }: ProbeOptions['address']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
