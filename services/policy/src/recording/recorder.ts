/**
 * Records what was judged for the tenants that want it: the request, the verdict and what DNS answered. Nobody waits for it, and what cannot be
 * kept is counted and given up. A cluster where no tenant records pays one comparison per evaluation. Of an upload the octets are held beside, up
 * to what is kept of a message and to a bound of the pod; whatever exceeds it is recorded without its content, and says so.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { EvaluateRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import { RecordingResolver } from './dns-answers.js';
import { HeldContent } from './held-content.js';
import { ownRequest, ownVerdict } from './own-part.js';
import type { RecordingStore } from './recording-store.js';

export interface EvaluationRecord {
  /** To be asked in place of the one given. */
  readonly resolver: Resolver;
  /** The next octets of an upload; they are copied. */
  hold(chunk: Buffer): void;
  /** Nothing will be judged: what was held is given back. */
  drop(): void;
  /** `hasContent`: the request holds the bytes that were judged; else those that were held did. */
  finish(verdict: EvaluateResponse, hasContent: boolean): void;
}

export interface Recorder {
  /** Undefined = nobody wants this one. */
  begin(request: EvaluateRequest, snapshot: CompiledSnapshot, resolver: Resolver): EvaluationRecord | undefined;
}

export interface RecorderObserver {
  recorded(result: 'kept' | 'dropped'): void;
}

/** Writes under way in this pod; beyond it evaluations are not recorded. */
const mostInFlight = 100;
/** Octets of uploads held in this pod. */
const mostHeld = 33_554_432;
const noBytes = Buffer.alloc(0);

export function createRecorder(clock: Clock, store: RecordingStore, observer: RecorderObserver): Recorder {
  let inFlight = 0;
  const room = { left: mostHeld };
  const keep = async (work: () => Promise<boolean>): Promise<void> => {
    if (inFlight >= mostInFlight) return observer.recorded('dropped');
    inFlight += 1;
    try {
      observer.recorded((await work()) ? 'kept' : 'dropped');
    } catch {
      observer.recorded('dropped');
    } finally {
      inFlight -= 1;
    }
  };
  return {
    begin(request, { recording, version }, inner) {
      if (recording.tenants.size === 0) return undefined;
      const { facts, sessionId } = request;
      const concerned = new Set([
        facts?.submittingTenant ?? '',
        ...(facts?.recipients ?? []).map(({ tenant }) => tenant),
      ]);
      const tenants = [...concerned].filter((tenant) => recording.tenants.has(tenant));
      if (tenants.length === 0) return undefined;
      const resolver = new RecordingResolver(inner, clock);
      const atMs = clock.now();
      const held = new HeldContent(recording.content, room);
      return {
        resolver,
        hold: (chunk) => held.add(chunk),
        drop: () => held.release(),
        finish(verdict, hasContent) {
          const content = hasContent ? request.content : held.whole();
          held.release();
          for (const tenant of tenants) {
            const own = ownRequest(request, tenant, verdict);
            if (own === undefined) continue;
            const isKept = content !== undefined && content.length <= recording.content;
            const step = {
              request: { ...own, content: isKept ? content : noBytes },
              verdict: ownVerdict(verdict, own, request.facts),
              answers: resolver.answers,
              ...{ atMs, snapshotVersion: version, contentMissing: !isKept },
            };
            void keep(() => store.append(tenant, sessionId, step, recording));
          }
        },
      };
    },
  };
}
