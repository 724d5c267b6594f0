/** A question to policy about a transaction, with all facts so far, so that any pod can answer it (design.md, step 3). Takes the next sequence number. */
import { type EvaluateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { sessionFacts } from './judgement.js';
import type { Transaction } from './transaction.js';
import type { TransactionParty } from './transaction-party.js';

const nothing = Buffer.alloc(0);
const contentStages: ReadonlySet<Stage> = new Set([Stage.HEADERS, Stage.BODY]);

/** `asked`: recipients it is about, beside those taken already. */
export function evaluationRequest(
  { session, services, transaction }: TransactionParty,
  stages: Stage[],
  asked: Parameters<Transaction['recipientFacts']>[0] = [],
): EvaluateRequest {
  const snapshot = services.snapshot();
  return {
    sessionId: session.id,
    sequence: ++session.sequence,
    stages,
    facts: sessionFacts({
      session,
      podName: services.settings.podName,
      submittingTenant: transaction.submittingTenant,
      mail: transaction.mail,
      queueId: transaction.queueId,
      recipients: transaction.recipientFacts(asked),
      carried: transaction.findings.carried(stages.every((stage) => contentStages.has(stage))),
      skipChecks: snapshot?.policyFor(session.listener, session.ipSet).skipChecks ?? [],
    }),
    content: nothing,
    contentSize: 0,
    snapshotVersion: snapshot?.version ?? 0,
    traceparent: session.traceparent,
  };
}
