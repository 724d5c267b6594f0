/**
 * Policy over all its pods (design.md, step 3): a session is given to the pod with least outstanding and stays there; a pod that dies, or is silent for
 * some seconds, loses its requests to another one, which can judge from the facts each request carries. No pod open: waited for within the deadline, but not once
 * all have been away for a while. Nothing here rejects and nothing here judges.
 */
import type { Clock } from '@postern/clock';
import type { GrpcClient } from '@postern/grpc';
import type { EvaluateRequest, PolicyServiceClient } from '@postern/proto/policy/v1/policy_service';
import { contentExchange } from './policy-content.js';
import { PolicyPod } from './policy-pod.js';
import type { ContentExchange, PolicyAnswer, PolicyPort } from './policy-port.js';

export type PolicyOutcome = 'verdict' | 'failed' | 'late' | 'away';

export interface PolicyClientOptions {
  readonly clock: Clock;
  /** A client of one pod. */
  connect(address: string): GrpcClient<PolicyServiceClient>;
  onPod(address: string, isOpen: boolean): void;
  onAnswer(outcome: PolicyOutcome, seconds: number): void;
}

export interface PolicyClient extends PolicyPort {
  /** The pods there are now; others are closed. */
  use(addresses: readonly string[]): void;
  openPods(): number;
  close(): void;
}

/** All pods away for longer than this: answer at once. */
const patienceMs = 3_000;
/** A large message waits this long at most for a pod to send it to. */
const maxTries = 4;

const unavailable = (reason: string): PolicyAnswer => ({ kind: 'unavailable', reason });

/** Least outstanding is best; one that may be silent is the last choice but for those that drain. */
const unwillingness = ({ load, isOverdue, isDraining }: PolicyPod): number =>
  load + (isOverdue ? 1e6 : 0) + (isDraining ? 1e9 : 0);

export function createPolicyClient(options: PolicyClientOptions): PolicyClient {
  const { clock } = options;
  const pods = new Map<string, PolicyPod>();
  const ofSession = new Map<string, PolicyPod>();
  let waiters: (() => void)[] = [];
  let awaySince = clock.monotonic();

  const openPods = (): PolicyPod[] => [...pods.values()].filter((pod) => pod.isOpen);

  const onChange = (pod: PolicyPod, isOpen: boolean): void => {
    options.onPod(pod.address, isOpen);
    if (!isOpen) {
      if (openPods().length === 0) awaySince = clock.monotonic();
      return;
    }
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  };

  const choose = (sessionId: string): PolicyPod | undefined => {
    const kept = ofSession.get(sessionId);
    if (kept?.isOpen === true) return kept;
    let best: PolicyPod | undefined;
    for (const pod of pods.values())
      if (pod.isOpen && (best === undefined || unwillingness(pod) < unwillingness(best))) best = pod;
    if (best !== undefined) ofSession.set(sessionId, best);
    return best;
  };

  const waitForPod = async (untilMs: number): Promise<void> => {
    const abort = new AbortController();
    await Promise.race([
      new Promise<void>((resolve) => waiters.push(resolve)),
      clock.sleep(Math.max(1, untilMs - clock.monotonic()), abort.signal).catch(() => undefined),
    ]);
    abort.abort();
  };

  const ask = async (
    request: EvaluateRequest,
    deadlineMs: number,
  ): Promise<PolicyAnswer & { outcome: PolicyOutcome }> => {
    const end = clock.monotonic() + deadlineMs;
    for (let attempt = 0; attempt < maxTries; ) {
      const pod = choose(request.sessionId);
      const left = end - clock.monotonic();
      if (left <= 0) return { ...unavailable('no answer in time'), outcome: 'late' };
      if (pod === undefined) {
        const until = Math.min(end, awaySince + patienceMs);
        if (clock.monotonic() >= until) return { ...unavailable('no policy pod is open'), outcome: 'away' };
        await waitForPod(until);
        continue;
      }
      attempt++;
      const answer = await pod.ask(request, left);
      if (answer.kind === 'verdict') return { ...answer, outcome: 'verdict' };
      if (answer.kind === 'failed') return { ...unavailable(answer.reason), outcome: 'failed' };
      ofSession.delete(request.sessionId);
      if (answer.kind === 'late') return { ...unavailable('no answer in time'), outcome: 'late' };
    }
    return { ...unavailable('pods keep failing'), outcome: 'away' };
  };

  return {
    async evaluate(request, deadlineMs) {
      const started = clock.monotonic();
      const { outcome, ...answer } = await ask(request, deadlineMs);
      options.onAnswer(outcome, (clock.monotonic() - started) / 1_000);
      return answer;
    },
    content(request, patience): ContentExchange {
      const pod = choose(request.sessionId);
      if (pod === undefined) {
        return {
          write: () => undefined,
          finish: async () => unavailable('no policy pod is open'),
          cancel: () => undefined,
        };
      }
      return contentExchange(pod, request, patience, clock);
    },
    end(sessionId) {
      ofSession.delete(sessionId);
    },
    use(addresses) {
      for (const [address, pod] of pods) {
        if (addresses.includes(address)) continue;
        pods.delete(address);
        pod.close();
      }
      for (const address of addresses) {
        if (pods.has(address)) continue;
        pods.set(address, new PolicyPod(address, options.connect(address), clock, onChange));
      }
    },
    openPods: () => openPods().length,
    close() {
      for (const pod of pods.values()) pod.close();
      pods.clear();
    },
  };
}
