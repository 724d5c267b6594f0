/** A policy service for tests over a real socket: answers on the stream and takes content, as told. */
import { bidirectional, clientStreaming, createServer, type GrpcServer, unary } from '@postern/grpc';
import {
  type ContentResponse,
  type EvaluateRequest,
  EvaluateResponse,
  PolicyServiceService,
  SimulateResponse,
} from '@postern/proto/policy/v1/policy_service';
import type { Telemetry } from '@postern/telemetry';

export interface TestPolicy {
  readonly address: string;
  readonly asked: EvaluateRequest[];
  /** Bytes of the last content RPC. */
  content: Buffer;
  /** In how many chunks they came. */
  chunks: number;
  answer: (request: EvaluateRequest) => EvaluateResponse | undefined;
  stop(): void;
}

/** Undefined from `answer` = silence. */
export async function startTestPolicy(telemetry: Telemetry, port = 0): Promise<TestPolicy> {
  const asked: EvaluateRequest[] = [];
  const server: GrpcServer = createServer({ telemetry, maxMessageBytes: 16 * 1024 * 1024 });
  const policy: TestPolicy = {
    address: '',
    asked,
    content: Buffer.alloc(0),
    chunks: 0,
    answer: (request) =>
      EvaluateResponse.fromPartial({
        recipients: (request.facts?.recipients ?? [])
          .filter((recipient) => recipient.asked)
          .map((recipient) => ({ address: recipient.address, decision: { action: 1 } })),
      }),
    stop: () => server.stop(),
  };
  server.add(PolicyServiceService, {
    session: bidirectional(async (stream) => {
      for await (const { requestId, kind } of stream) {
        if (kind?.$case !== 'evaluate') continue;
        asked.push(kind.value);
        const verdict = policy.answer(kind.value);
        if (verdict !== undefined) stream.write({ requestId, kind: { $case: 'verdict', value: verdict } });
      }
    }),
    evaluate: unary(() => EvaluateResponse.fromPartial({})),
    simulate: unary(() => SimulateResponse.fromPartial({})),
    listRecordings: unary(() => ({ recordings: [] })),
    getRecording: unary(() => ({ recording: undefined })),
    content: clientStreaming(async (requests): Promise<ContentResponse> => {
      const parts: Buffer[] = [];
      let start: EvaluateRequest | undefined;
      for await (const { kind } of requests) {
        if (kind?.$case === 'start') start = kind.value;
        if (kind?.$case === 'chunk') parts.push(kind.value);
      }
      policy.content = Buffer.concat(parts);
      policy.chunks = parts.length;
      return { verdict: start === undefined ? undefined : policy.answer(start) };
    }),
  });
  const bound = await server.listen({ host: '127.0.0.1', port });
  return Object.assign(policy, { address: `127.0.0.1:${bound}` });
}
