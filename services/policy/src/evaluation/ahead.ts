/**
 * The time of one request among its stages. While checks of a stage wait, those of later stages of the same request that need nothing but the request
 * itself are begun beside them; what is found still counts at its own stage, after the rules before it. Where DNS answers at once nothing is
 * begun early, so that a client refused at connect costs no question about its sender. What is waited for leaves time for the stages to come.
 */
import type { Timer } from '@postern/clock';
import type { CheckDefinition } from '../check.js';
import { type CheckResult, runCheck } from '../check-runner.js';
import { stageOf } from '../stage-event.js';
import type { EvaluationState } from './state.js';

const headStartMs = 250;
/** Of what is left, where another stage has checks of its own. */
const shareOfNow = 0.7;

/** The checks of later stages of this request, as far as they are on. */
function later({ stages, active, subject, policies }: EvaluationState, now: number): readonly CheckDefinition[] {
  const following = stages.filter((stage) => stage > now);
  if (following.length === 0) return [];
  return active.filter((check) => following.includes(stageOf(check.stage)) && check.applies(subject, policies));
}

/** Milliseconds the checks of a stage may take; `more` = something is asked after them. */
export function timeOf(state: EvaluationState, now: number, more = false): number {
  return more || later(state, now).length > 0 ? state.remainingMs * shareOfNow : state.remainingMs;
}

/** The results of the checks that run at a stage; from a moment on others run beside them. */
export async function settle(
  state: EvaluationState,
  runs: readonly Promise<CheckResult[]>[],
  now: number,
): Promise<CheckResult[]> {
  const begins = later(state, now).filter(
    ({ name, alone }) => alone && !state.skips.has(name) && !state.ahead.has(name),
  );
  if (begins.length === 0 || runs.length === 0) return (await Promise.all(runs)).flat();
  const { services, subject, policies, dryRun } = state;
  let timer: Timer | undefined = services.clock.setTimer(headStartMs, () => {
    timer = undefined;
    const remainingMs = state.remainingMs * shareOfNow;
    for (const check of begins) {
      const order = { check, policies, stage: stageOf(check.stage), remainingMs, dryRun };
      state.ahead.set(check.name, runCheck(services, order, subject));
    }
  });
  const results = await Promise.all(runs);
  timer?.cancel();
  return results.flat();
}
