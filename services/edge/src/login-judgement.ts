/**
 * What rules say of a login before its answer is told, where one of them goes by what has to be asked for, such as a country. Asked whether the
 * password was right or not, so that the reply tells nobody. A cluster without such a rule asks nothing. Not being able to ask is 454.
 */
import { earlyRefusal, isAcceptance, refusalOf } from '@postern/flow-control/session';
import { type SessionFacts, Stage } from '@postern/proto/policy/v1/policy_service';
import { type Reply, replies } from '@postern/smtp-core';
import { originOf } from './judgement.js';
import type { Login, Session, SessionServices } from './session.js';

export interface RefusedLogin {
  readonly reply: Reply;
  /** `id@version`, or why policy cannot say. */
  readonly reason: string;
}

const nothing = Buffer.alloc(0);

function factsOf(
  session: Session,
  { settings, snapshot }: SessionServices,
  { tenant, mechanism }: Login,
): SessionFacts {
  return {
    ...{ origin: originOf(session, false, settings.podName), listenerRole: session.listener.role },
    ...{ esmtp: session.greeting?.esmtp === true, submittingTenant: tenant, authMechanism: mechanism },
    ...{ reversePath: '', hasReversePath: false, declaredSize: 0, recipients: [], parameters: undefined, queueId: '' },
    sessionMessages: session.messages,
    sessionBytes: session.bytes,
    sessionErrors: session.errors,
    localAddress: session.localAddress,
    localPort: session.localPort,
    relayRight: true,
    findings: [],
    sharedFindings: [],
    othersBefore: [],
    addressSuspected: session.addressSuspected,
    clientCertificate: session.tls?.clientCertificate,
    proxyAuthority: session.proxyAuthority ?? '',
    skipChecks: [...(snapshot()?.policyFor(session.listener, session.ipSet).skipChecks ?? [])],
  };
}

/** The session is logged in while rules are asked and is not afterwards. */
export async function refusedLogin(
  session: Session,
  services: SessionServices,
  login: Login,
): Promise<RefusedLogin | undefined> {
  session.login = login;
  try {
    const early = earlyRefusal(services, session, 'auth');
    if (early !== undefined) return { reply: early.reply, reason: early.rule };
    const snapshot = services.snapshot();
    if (snapshot === undefined || !snapshot.askedLogins.has('auth')) return undefined;
    if (!snapshot.askedLogins.of(login.tenant, login.user).has('auth')) return undefined;
    const request = {
      ...{
        sessionId: session.id,
        sequence: ++session.sequence,
        stages: [Stage.AUTH],
        content: nothing,
        contentSize: 0,
      },
      ...{
        facts: factsOf(session, services, login),
        snapshotVersion: snapshot.version,
        traceparent: session.traceparent,
      },
    };
    const answer = await services.policy.evaluate(request, services.settings.policyDeadlineMs);
    if (answer.kind === 'unavailable') return { reply: replies.authTemporaryFailure, reason: answer.reason };
    const { decision } = answer.verdict;
    return isAcceptance(decision) ? undefined : { reply: refusalOf(decision), reason: decision?.decidedBy ?? '' };
  } finally {
    session.login = undefined;
  }
}
