/** Servers and clients of the queue contract for the tests of this package; what is opened is closed after each test. */
import { readFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { PosternError } from '@postern/errors';
import {
  LedgerRequest,
  LedgerResponse,
  QueueServiceClient,
  QueueServiceService,
} from '@postern/proto/queue/v1/queue_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { afterEach } from 'vitest';
import { createClient, type GrpcClient } from '../client.js';
import { Client, credentials } from '../grpc-js.js';
import { unary } from '../handlers.js';
import { createServer, type GrpcServer, type Handlers, type ServerOptions } from '../server.js';

export const key = Buffer.alloc(32, 1);
export const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

export const unused = unary<unknown, never>(() => {
  throw new PosternError('unimplemented');
});

export type QueueHandlers = Handlers<typeof QueueServiceService>;

export const emptyQueue: QueueHandlers = {
  summary: unused,
  listItems: unused,
  operate: unused,
  trace: unused,
  ledger: unused,
  simulateDelivery: unused,
  listParked: unused,
  getParked: unused,
  retryParked: unused,
  dropParked: unused,
};

export async function serve(handlers: Partial<QueueHandlers>, options: Partial<ServerOptions> = {}) {
  const telemetry = captureTelemetry('queue');
  const server = createServer({ telemetry, ...options }).add(QueueServiceService, { ...emptyQueue, ...handlers });
  return { server, telemetry, port: await bound(server) };
}

export async function bound(server: GrpcServer): Promise<number> {
  cleanups.push(() => server.stop());
  return await server.listen({ host: '127.0.0.1', port: 0 });
}

export function queueClient(port: number, options: Partial<Parameters<typeof createClient>[1]> = {}) {
  const telemetry = captureTelemetry('provisioning');
  const client = createClient(QueueServiceClient, {
    address: `127.0.0.1:${port}`,
    telemetry,
    deadlineMs: 5000,
    ...options,
  });
  cleanups.push(() => client.close());
  return { client, telemetry, ledger: ledgerOf(client) };
}

export function ledgerOf(client: GrpcClient<QueueServiceClient>) {
  return (tenant: string, per = {}) => client.call(client.rpc.ledger, LedgerRequest.fromPartial({ tenant }), per);
}

export const balanced = LedgerResponse.fromPartial({ balanced: true });

export interface HealthReply {
  readonly status: number;
}

/** A hand-made client of grpc.health.v1: field 1 of both messages is all there is. */
export async function health(port: number, service = ''): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const encode = (name: string) => Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
  const decode = (bytes: Buffer): HealthReply => ({ status: bytes[1] ?? 0 });
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', encode, decode, service, (error, reply) => {
        if (error || !reply) reject(error ?? new Error('no reply'));
        else resolve(reply.status);
      });
    });
  } finally {
    client.close();
  }
}

export async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Made once for these tests, valid for a hundred years; trusted by nobody else. */
export function testCertificates(): { readonly cert: Buffer; readonly key: Buffer } {
  const read = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
  return { cert: read('localhost.crt'), key: read('localhost.key') };
}
