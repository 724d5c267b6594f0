/**
 * A recorded session judged again by the configuration of now, or with rules that are tried: the same requests at the same time, with the DNS answers
 * of then. Checks whose question is about state that has moved on since (greylist, directory, next hops, health of lists) keep what they found.
 * What a step finds is what the next one knows, so that a rule tried at MAIL is felt at the end of data.
 */
import type { Clock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import {
  type EvaluateResponse,
  type Finding,
  type RecordedStep,
  type SimulateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { apartCheck } from '../apart/recipients-apart.js';
import { skipped } from '../check.js';
import type { Judge } from '../judge.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import { isRefusal } from '../verdict/decision.js';
import { shownVerdict } from './own-part.js';

/** What an evaluation takes from a recording. */
export interface Replay {
  readonly answers: RecordedStep['answers'];
  readonly atMs: number;
  /** Of a check about state, in its stage; undefined = it is to be made. */
  found(check: string): readonly Finding[] | undefined;
  /** Final addresses of a recipient, as the directory had them. */
  expandsTo(recipient: string): readonly string[];
}

const deadlineMs = 10_000;
const aboutState: ReadonlySet<string> = new Set([
  ...[
    'greylist',
    'greylist_signed',
    'recipients',
    'callforward',
    'lists_user',
    'lists_user_from',
    'country',
    apartCheck,
  ],
]);
const sessionStages: ReadonlySet<Stage> = new Set([Stage.CONNECT, Stage.EHLO, Stage.AUTH]);

export function replayOf({ answers, atMs, verdict }: RecordedStep): Replay {
  const expanded = new Map(verdict?.recipients.map(({ address, expandsTo }) => [address, expandsTo]));
  return {
    answers,
    atMs,
    found(check) {
      if (!aboutState.has(check)) return undefined;
      const found = verdict?.findings.filter((finding) => finding.check === check && finding.outcome !== skipped) ?? [];
      return found.length === 0 ? undefined : found;
    },
    expandsTo: (recipient) => expanded.get(recipient) ?? [],
  };
}

/** The same clock at another time. */
export function clockAt(clock: Clock, nowMs: number): Clock {
  return {
    now: () => nowMs,
    monotonic: () => clock.monotonic(),
    cpu: () => clock.cpu(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    setTimer: (ms, fire, options) => clock.setTimer(ms, fire, options),
    setInterval: (ms, fire, options) => clock.setInterval(ms, fire, options),
  };
}

const keyOf = ({ check, rule, stage, recipient }: Finding): string => `${stage} ${check} ${rule} ${recipient}`;

/**
 * What is known from one step to the next: findings, and recipients that are refused now. A recording begins where a recipient of the tenant's comes in: what
 * steps found that are not in it is known from the steps that are.
 */
class Course {
  #session: Finding[] = [];
  #transaction: Finding[] = [];
  #refused = new Set<string>();
  #queueId = '';
  /** Found then by steps of the recording, of this transaction and its session. */
  #then = new Map<string, Stage>();

  begin(stages: readonly Stage[], queueId: string): void {
    this.#session = this.#session.filter(({ stage }) => !stages.includes(stage));
    if (!stages.includes(Stage.MAIL) && queueId === this.#queueId) return;
    this.#queueId = queueId;
    this.#transaction = [];
    this.#then = new Map([...this.#then].filter(([, stage]) => sessionStages.has(stage)));
    this.#refused = new Set();
  }

  /** `then`: what the request had been told. */
  findings(then: readonly Finding[]): Finding[] {
    return [...then.filter((finding) => !this.#then.has(keyOf(finding))), ...this.#session, ...this.#transaction];
  }

  isRefused = (address: string): boolean => this.#refused.has(address);

  learn({ findings, recipients }: EvaluateResponse, then: EvaluateResponse): void {
    for (const finding of then.findings) this.#then.set(keyOf(finding), finding.stage);
    for (const finding of findings)
      (sessionStages.has(finding.stage) ? this.#session : this.#transaction).push(finding);
    for (const { address, decision } of recipients)
      if (decision !== undefined && isRefusal(decision.action)) this.#refused.add(address);
  }
}

export async function replaySession(
  judge: Judge,
  steps: readonly RecordedStep[],
  snapshot: CompiledSnapshot,
  tenant: string,
): Promise<SimulateResponse> {
  if (steps.length === 0) throw new PosternError('not-found', 'no such recording');
  const stages: EvaluateResponse[] = [];
  const asked: SimulateResponse['asked'] = [];
  const recorded: EvaluateResponse[] = [];
  const course = new Course();
  for (const step of steps) {
    const { request, verdict: then, contentMissing } = step;
    if (request?.facts === undefined || then === undefined) continue;
    course.begin(request.stages, request.facts.queueId);
    const { recipients, othersBefore } = request.facts;
    const facts = {
      ...request.facts,
      othersBefore: othersBefore.filter((_, place) => !course.isRefused(recipients[place]?.address ?? '')),
      findings: course.findings(request.facts.findings),
      recipients: recipients.filter(({ address }) => !course.isRefused(address)),
    };
    if (facts.recipients.length === 0 && request.facts.recipients.length > 0) continue;
    const hasContent = request.stages.includes(Stage.HEADERS) || request.stages.includes(Stage.BODY);
    const bodyMissing = hasContent && contentMissing;
    const verdict = bodyMissing
      ? then
      : await judge.evaluate({ ...request, facts }, deadlineMs, snapshot, replayOf(step));
    course.learn(verdict, then);
    stages.push(shownVerdict(verdict, facts, tenant));
    asked.push({ stages: request.stages, bodyMissing });
    recorded.push(shownVerdict(then, request.facts, tenant));
  }
  return { stages, asked, recorded, replies: [], submittingTenant: '' };
}
