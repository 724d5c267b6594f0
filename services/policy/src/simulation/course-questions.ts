/**
 * The questions of a simulated session to policy, in sequence as an edge asks them: each knows what was found before, and leaves time for those to come.
 */
import type { Clock } from '@postern/clock';
import { type EvaluateResponse, type SessionFacts, Stage } from '@postern/proto/policy/v1/policy_service';
import type { Judge } from '../judge.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';

export interface QuestionParts {
  readonly judge: Judge;
  readonly snapshot: CompiledSnapshot;
  readonly clock: Clock;
  /** Milliseconds for the whole session. */
  readonly deadlineMs: number;
}

/** What an edge waits for the verdict of a group of commands up to RCPT. */
const envelopeMs = 10_000;
/** Each command but the last leaves time for those after it, as the stages of one request do. */
const shareOfNow = 0.7;
const noContent = Buffer.alloc(0);

export class CourseQuestions {
  readonly #parts: QuestionParts;
  readonly #begunAt: number;
  readonly #contentSize: number;
  #sequence = 0;
  /** As they have become. */
  facts: SessionFacts;
  /** How much of the content policy wants. */
  plan: EvaluateResponse['contentPlan'] = 0;

  constructor(parts: QuestionParts, facts: SessionFacts, contentSize: number) {
    this.#parts = parts;
    this.#begunAt = parts.clock.monotonic();
    this.#contentSize = contentSize;
    this.facts = { ...facts };
  }

  async judge(stages: Stage[], content: Uint8Array = noContent): Promise<EvaluateResponse> {
    const { judge, snapshot } = this.#parts;
    this.#sequence += 1;
    const verdict = await judge.evaluate(
      {
        sessionId: 'simulation',
        sequence: this.#sequence,
        stages,
        facts: this.facts,
        content: Buffer.from(content),
        contentSize: this.#contentSize,
        snapshotVersion: 0,
        traceparent: '',
      },
      this.#patience(stages),
      snapshot,
    );
    this.facts = { ...this.facts, findings: [...this.facts.findings, ...verdict.findings] };
    if (verdict.contentPlan > this.plan) this.plan = verdict.contentPlan;
    return verdict;
  }

  #patience(stages: readonly Stage[]): number {
    const { clock, deadlineMs } = this.#parts;
    const isContent = stages.some((stage) => stage > Stage.RCPT);
    const whole = isContent ? deadlineMs : Math.min(envelopeMs, deadlineMs * shareOfNow);
    const left = this.#begunAt + whole - clock.monotonic();
    return Math.max(1, isContent || stages.includes(Stage.RCPT) ? left : left * shareOfNow);
  }
}
