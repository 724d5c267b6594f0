/** The program against a server that answers what a test says; output, errors and requests are kept. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { ProvisioningServiceService } from '@postern/proto/provisioning/v1/provisioning_service';
import { runProgram } from './program.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Method = keyof typeof ProvisioningServiceService;

export interface TestServer {
  readonly folder: string;
  readonly address: string;
  readonly requests: { readonly method: string; readonly request: unknown; readonly authorization: string }[];
  /** What the next calls of a method are answered; a thrown status otherwise. */
  answer(method: Method, response: object): void;
  refuse(method: Method, code: number, details: string): void;
  run(args: string, input?: string): Promise<Outcome>;
  close(): void;
}

type Answer =
  | { readonly kind: 'response'; readonly response: object }
  | { readonly kind: 'refusal'; readonly code: number; readonly details: string };

const now = Date.parse('2026-01-02T03:04:05Z');

export async function startTestServer(): Promise<TestServer> {
  const answers = new Map<string, Answer>();
  const requests: TestServer['requests'] = [];
  const server = new Server();
  const handlers: Record<string, handleUnaryCall<unknown, unknown>> = {};
  for (const method of Object.keys(ProvisioningServiceService)) {
    handlers[method] = (call, done) => {
      requests.push({ method, request: call.request, authorization: String(call.metadata.get('authorization')[0]) });
      const answer = answers.get(method);
      if (answer === undefined) done({ code: 12, details: 'no answer set' });
      else if (answer.kind === 'refusal') done({ code: answer.code, details: answer.details });
      else done(null, answer.response);
    };
  }
  server.addService(ProvisioningServiceService, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const folder = mkdtempSync(join(tmpdir(), 'posternctl-'));
  writeFileSync(join(folder, 'key'), 'postern_test_key\n');
  return {
    folder,
    address: `127.0.0.1:${port}`,
    requests,
    answer: (method, response) => void answers.set(method, { kind: 'response', response }),
    refuse: (method, code, details) => void answers.set(method, { kind: 'refusal', code, details }),
    run: (args, input = '') =>
      runWith(folder, { POSTERN_SERVER: `127.0.0.1:${port}`, POSTERN_KEY_FILE: join(folder, 'key') }, args, input),
    close: () => {
      server.forceShutdown();
      rmSync(folder, { recursive: true });
    },
  };
}

export async function runWith(
  folder: string,
  env: Readonly<Record<string, string>>,
  args: string,
  input = '',
): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await runProgram(args.split(' '), {
    env,
    folder,
    terminal: { input: Readable.from([input]), error: (text) => (err += text) },
    write: (text) => (out += text),
    now: () => now,
  });
  return { code, out, err };
}
