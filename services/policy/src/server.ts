/**
 * PolicyService on the wire. Every call carries the signed scope of the service that calls: streams and contents come from edges, simulation
 * from provisioning for a tenant it has authorised. Nothing that comes in can end the process.
 */

import type { Clock } from '@postern/clock';
import { PosternError, toPosternError } from '@postern/errors';
import {
  bidirectional,
  type CallContext,
  clientStreaming,
  coversTenant,
  everyTenant,
  type Handlers,
  unary,
} from '@postern/grpc';
import {
  type ContentRequest,
  type ContentResponse,
  type EvaluateRequest,
  type EvaluateResponse,
  type GetRecordingRequest,
  type GetRecordingResponse,
  type ListRecordingsRequest,
  type ListRecordingsResponse,
  PolicyServiceService,
  type RecordedStep,
  type SimulateRequest,
} from '@postern/proto/policy/v1/policy_service';
import { readContentRequest } from './content/content-request.js';
import { readUpload } from './content/upload.js';
import type { Judge } from './judge.js';
import { shownStep } from './recording/own-part.js';
import type { RecordingStore } from './recording/recording-store.js';
import { serveSessionStream } from './session-stream.js';
import { simulate } from './simulation/simulate.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

export interface PolicyServerOptions {
  readonly judge: Judge;
  snapshot(): CompiledSnapshot | undefined;
  readonly clock: Clock;
  readonly pod: string;
  readonly credit: number;
  readonly draining: AbortSignal;
  readonly observer: ServerObserver;
  readonly recordings: RecordingStore;
  /** Most Received fields of a simulated message; with one more it loops. */
  readonly maxHops: number;
  /** Octets of a line of a simulated message. */
  readonly maxLineLength: number;
}

export interface ServerObserver {
  opened(peer: string): void;
  closed(peer: string): void;
  failed(error: PosternError, request: EvaluateRequest | undefined): void;
  answered(request: EvaluateRequest, seconds: number): void;
}

function admit({ scope }: CallContext, services: readonly string[]): void {
  if (!services.includes(scope.service)) throw new PosternError('permission-denied', `not for ${scope.service}`);
}

/** Provisioning, for a tenant it has authorised. */
function admitFor(context: CallContext, tenant: string): void {
  admit(context, ['provisioning']);
  if (coversTenant(context.scope, tenant === '' ? everyTenant : tenant)) return;
  const view = tenant === '' ? 'the operator view' : tenant;
  throw new PosternError('permission-denied', `the scope does not cover ${view}`);
}

/** The judge with every answer and failure told to the observer. */
function observed(judge: Judge, clock: Clock, observer: ServerObserver): Judge {
  const watch = async (request: EvaluateRequest, work: () => Promise<EvaluateResponse>): Promise<EvaluateResponse> => {
    const begun = clock.monotonic();
    const verdict = await work();
    observer.answered(request, (clock.monotonic() - begun) / 1_000);
    return verdict;
  };
  return {
    get inFlight() {
      return judge.inFlight;
    },
    evaluate: (request, deadlineMs, snapshot, replay) =>
      watch(request, () => judge.evaluate(request, deadlineMs, snapshot, replay)),
    open: (start) => {
      const session = judge.open(start);
      return {
        write: (chunk) => session.write(chunk),
        drop: () => session.drop(),
        finish: (size, deadlineMs) => watch(start, () => session.finish(size, deadlineMs)),
      };
    },
  };
}

/** Of an answer, so that it fits in one. */
const mostContent = 2_097_152;

/** Contents from the first on, as far as they fit; a step without its own says so. */
function withinAnswer(steps: readonly RecordedStep[]): RecordedStep[] {
  let room = mostContent;
  return steps.map((step) => {
    const size = step.request?.content.length ?? 0;
    room -= size;
    if (size === 0 || step.request === undefined || room >= 0) return step;
    return { ...step, request: { ...step.request, content: Buffer.alloc(0) }, contentMissing: true };
  });
}

/** Of who asks for a simulation: nothing went wrong here. */
const mistakes: ReadonlySet<PosternError['id']> = new Set<PosternError['id']>([
  'invalid-argument',
  'not-found',
  'permission-denied',
]);

/** As generated, but for the chunks of uploads. */
export const policyService: typeof PolicyServiceService = {
  ...PolicyServiceService,
  content: { ...PolicyServiceService.content, requestDeserialize: readContentRequest },
};

export function policyHandlers(options: PolicyServerOptions): Handlers<typeof PolicyServiceService> {
  const { clock, pod, credit, draining, observer, recordings, maxHops, maxLineLength } = options;
  const judge = observed(options.judge, clock, observer);
  /** A deadline that has passed is not the same as none. */
  const remaining = (context: CallContext): number => Math.max(1, context.deadline - clock.now());
  const failing = async <R>(
    request: () => EvaluateRequest | undefined,
    work: () => Promise<R>,
    isFault = (_error: PosternError): boolean => true,
  ): Promise<R> => {
    try {
      return await work();
    } catch (thrown) {
      const error = toPosternError(thrown);
      if (isFault(error)) observer.failed(error, request());
      throw thrown;
    }
  };
  return {
    session: bidirectional(async (stream, context) => {
      admit(context, ['edge']);
      observer.opened(context.peer);
      await serveSessionStream(stream, { judge, pod, credit, draining, onFailed: observer.failed });
      observer.closed(context.peer);
    }),
    evaluate: unary((request: EvaluateRequest, context) => {
      admit(context, ['edge', 'provisioning']);
      return failing(
        () => request,
        () => judge.evaluate(request, remaining(context)),
      );
    }),
    content: clientStreaming((requests: AsyncIterable<ContentRequest>, context): Promise<ContentResponse> => {
      admit(context, ['edge']);
      // An upload that breaks off is told with the session it was of.
      let started: EvaluateRequest | undefined;
      const note = (start: EvaluateRequest): void => {
        started = start;
      };
      return failing(
        () => started,
        async () => ({ verdict: await readUpload(judge, requests, note, () => remaining(context)) }),
      );
    }),
    simulate: unary((request: SimulateRequest, context) => {
      admitFor(context, request.tenant);
      return failing(
        () => undefined,
        () =>
          simulate(
            { judge, recordings, clock, maxHops, maxLineLength, deadlineMs: remaining(context) * 0.95 },
            request,
            options.snapshot(),
          ),
        ({ id }) => !mistakes.has(id),
      );
    }),
    listRecordings: unary(async ({ tenant }: ListRecordingsRequest, context): Promise<ListRecordingsResponse> => {
      admitFor(context, tenant);
      const bounds = options.snapshot()?.recording;
      if (bounds === undefined) throw new PosternError('policy-unavailable', 'no snapshot yet');
      return { recordings: await recordings.list(tenant, bounds) };
    }),
    getRecording: unary(async ({ tenant, sessionId }: GetRecordingRequest, context): Promise<GetRecordingResponse> => {
      admitFor(context, tenant);
      const steps = await recordings.read(tenant, sessionId);
      if (steps.length === 0) throw new PosternError('not-found', `no recording of session ${sessionId}`);
      return { recording: { sessionId, tenant, steps: withinAnswer(steps.map((step) => shownStep(step, tenant))) } };
    }),
  };
}
