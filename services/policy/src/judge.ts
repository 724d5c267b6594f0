/**
 * The one evaluation behind the stream, the unary call, the content call and simulation: parses the request, takes the snapshot in use, and
 * answers before the deadline. Safe to call at once from anywhere; remembers nothing. Bounded: more than `concurrency` at once is overload.
 */
import { PosternError } from '@postern/errors';
import { type BodyDigests, PublicKeyCache } from '@postern/mail-auth';
import { type EvaluateRequest, type EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
import { ContentReader } from './content/content-reader.js';
import { type ContentContext, MessageContent } from './content/message-content.js';
import { evaluate } from './evaluation/evaluation.js';
import type { EvaluationServices } from './evaluation/state.js';
import { HurryWatch } from './hurried-checks.js';
import { patienceOf } from './patience.js';
import { ReplayingResolver } from './recording/dns-answers.js';
import type { EvaluationRecord, Recorder } from './recording/recorder.js';
import { clockAt, type Replay } from './recording/replay.js';
import type { AskRules } from './rules/rule-runner.js';
import { withOwnFindings } from './shared-findings.js';
import type { CompiledSnapshot } from './snapshot/compile.js';
import { subjectOf } from './subject.js';
import { contentNeeds } from './verdict/content-plan.js';

export interface JudgeOptions extends EvaluationServices {
  /** `askRules` of a simulation: what is decided is counted nowhere. */
  readonly supposeRules: AskRules;
  readonly pod: string;
  readonly inlineLimit: number;
  readonly concurrency: number;
  snapshot(): CompiledSnapshot | undefined;
  /** Where large bodies are hashed; absent = as they come, by the caller. */
  readonly openDigests?: () => BodyDigests;
  /** Absent = nothing is recorded. */
  readonly recorder?: Recorder;
}

export interface Judge {
  readonly inFlight: number;
  /** By the snapshot in use; with another one given it is a simulation, and nothing is written anywhere. `replay`: of a recorded session. */
  evaluate(
    request: EvaluateRequest,
    deadlineMs: number,
    simulated?: CompiledSnapshot,
    replay?: Replay,
  ): Promise<EvaluateResponse>;
  /** Content that comes in chunks; `start` is the evaluation it is for. */
  open(start: EvaluateRequest): ContentSession;
}

export interface ContentSession {
  /** A promise: wait for it before the next one. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** `size` is what was sent; another one is a broken upload. */
  finish(size: number, deadlineMs: number): Promise<EvaluateResponse>;
  /** The upload broke off. */
  drop(): void;
}

/** Kept back for encoding and the way home. */
const marginShare = 0.05;
const longestMarginMs = 250;
const defaultDeadlineMs = 10_000;
const defaultDkimTimeoutMs = 5_000;
const noSkips: ReadonlySet<string> = new Set();

const hasContent = (stages: readonly Stage[]): boolean => stages.includes(Stage.HEADERS) || stages.includes(Stage.BODY);
const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const patienceWith = (deadlineMs: number): number =>
  deadlineMs > 0 && Number.isFinite(deadlineMs) ? deadlineMs : defaultDeadlineMs;

export function createJudge(options: JudgeOptions): Judge {
  const { clock } = options;
  let inFlight = 0;
  const hurry = new HurryWatch(options.observer.hurried);
  /** Keys already read, for as long as the settings that measured them are in use. */
  const keys = new WeakMap<object, PublicKeyCache>();
  const keysOf = (settings: object): PublicKeyCache => {
    const known = keys.get(settings) ?? new PublicKeyCache();
    keys.set(settings, known);
    return known;
  };

  const snapshotInUse = (): CompiledSnapshot => {
    const snapshot = options.snapshot();
    if (snapshot === undefined) throw new PosternError('policy-unavailable', 'no snapshot yet');
    return snapshot;
  };

  const contentContext = (
    request: EvaluateRequest,
    snapshot: CompiledSnapshot,
    { resolver, clock: time }: EvaluationServices,
    deadlineMs: number,
  ): ContentContext => {
    const needs = contentNeeds(subjectOf(request, snapshot, undefined), noSkips);
    const atBody = request.stages.includes(Stage.BODY);
    const settings = snapshot.policies.server.dkim;
    const { timeout, maxSignatures, minRsaBits, maxRsaBits } = settings;
    return {
      resolver,
      clock: time,
      dkimTimeoutMs: patienceOf(Math.min(timeout || defaultDkimTimeoutMs, patienceWith(deadlineMs))),
      wantsDkim: atBody && needs.dkim,
      dkim: { maxSignatures, minRsaBits, maxRsaBits, keyCache: keysOf(settings) },
      wantsDomainKeys: atBody && needs.domainkeys,
      wantsArc: atBody && needs.arc,
      wantsParts: atBody && needs.parts,
    };
  };

  const recording = (record: EvaluationRecord | undefined): EvaluationServices =>
    record === undefined ? options : { ...options, resolver: record.resolver };

  const replaying = (replay: Replay): EvaluationServices => {
    const time = clockAt(clock, replay.atMs);
    return { ...options, clock: time, resolver: new ReplayingResolver(options.resolver, time, replay.answers), replay };
  };

  const judge = async (
    request: EvaluateRequest,
    snapshot: CompiledSnapshot,
    content: MessageContent | undefined,
    deadlineMs: number,
    services: EvaluationServices,
    { dryRun = false, mayWaive = false }: { readonly dryRun?: boolean; readonly mayWaive?: boolean } = {},
  ): Promise<EvaluateResponse> => {
    if (inFlight >= options.concurrency) throw new PosternError('overload', 'too many evaluations at once');
    inFlight += 1;
    try {
      const patience = patienceWith(deadlineMs);
      const endsAt = clock.monotonic() + patience - Math.min(longestMarginMs, patience * marginShare);
      const { sessionId, sequence, stages } = request;
      const echo = { sessionId, sequence, pod: options.pod };
      const used = dryRun ? { ...services, askRules: options.supposeRules } : services;
      return await evaluate(used, subjectOf(request, snapshot, content), { stages, endsAt, dryRun, echo, mayWaive });
    } finally {
      inFlight -= 1;
    }
  };

  return {
    get inFlight() {
      return inFlight;
    },
    async evaluate(asked, deadlineMs, simulated, replay) {
      const request = withOwnFindings(asked);
      const snapshot = simulated ?? snapshotInUse();
      const dryRun = simulated !== undefined;
      if (!dryRun) hurry.asked(snapshot, deadlineMs);
      const record = dryRun ? undefined : options.recorder?.begin(request, snapshot, options.resolver);
      const services = replay === undefined ? recording(record) : replaying(replay);
      if (!hasContent(request.stages)) {
        // What is recorded or tried out is recorded and tried out whole.
        const mayWaive = !dryRun && record === undefined;
        const verdict = await judge(request, snapshot, undefined, deadlineMs, services, { dryRun, mayWaive });
        record?.finish(verdict, true);
        return verdict;
      }
      // A simulation has one request for its whole message; its size is bounded by the transport.
      if (!dryRun && request.content.length > options.inlineLimit && request.stages.includes(Stage.BODY))
        throw new PosternError(
          'invalid-argument',
          `content of more than ${options.inlineLimit} bytes comes by Content`,
        );
      const context = contentContext(request, snapshot, services, deadlineMs);
      const bytes = bufferOf(request.content);
      const content = request.stages.includes(Stage.BODY)
        ? MessageContent.inline(bytes, context)
        : new MessageContent(bytes, context).told(request.contentSize);
      const verdict = await judge(request, snapshot, content, deadlineMs, services, { dryRun });
      record?.finish(verdict, true);
      return verdict;
    },
    open(asked) {
      const start = withOwnFindings(asked);
      const snapshot = snapshotInUse();
      const record = options.recorder?.begin(start, snapshot, options.resolver);
      const services = recording(record);
      const context = contentContext(start, snapshot, services, defaultDeadlineMs);
      const reader = new ContentReader(context, options.openDigests?.());
      return {
        write: (chunk) => {
          record?.hold(chunk);
          return reader.write(chunk);
        },
        drop: () => {
          record?.drop();
          reader.drop();
        },
        finish: async (size, deadlineMs) => {
          if (reader.size !== size)
            throw new PosternError('invalid-argument', `content has ${reader.size} bytes, ${size} were announced`);
          const verdict = await judge(start, snapshot, reader.end(), deadlineMs, services);
          record?.finish(verdict, false);
          return verdict;
        },
      };
    },
  };
}
