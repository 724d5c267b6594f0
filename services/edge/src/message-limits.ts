/**
 * Messages, recipients and bytes per interval (row C2): of the client address, of the login (what the operator and what its tenant allow), of the tenant it submits for. Counted once, when
 * a message is whole and before it is judged; every scope that is limited is one Redis call, none is made where nothing is limited. A message
 * a later scope refuses stays counted for the earlier ones: against the client, never beyond a limit. Refused a moment ago = refused at MAIL.
 */
import {
  clientPrefix,
  type RateDecision,
  type RateLimiter,
  type RateLimits,
  type RateSubject,
  type Refusal,
  tenantUser,
} from '@postern/flow-control';
import { submittingTenant } from '@postern/flow-control/session';
import type { Session } from './session.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

export interface MessageUse {
  readonly recipients: number;
  readonly bytes: number;
}

/** What an interval lets one message have at most; 0 = no limit. */
export interface MessageBound {
  readonly scope: RateSubject['kind'];
  readonly bytes: number;
  readonly recipients: number;
  readonly intervalMs: number;
}

export interface MessageLimits {
  /** What the session's messages can never exceed, however long they wait; asks nobody. */
  bounds(session: Session): readonly MessageBound[];
  /** Why the session's next message is refused already; asks nobody. */
  barred(session: Session): string | undefined;
  /** Undefined = within all limits; else why not. */
  take(session: Session, use: MessageUse): Promise<string | undefined> | undefined;
}

interface Limited {
  readonly subject: RateSubject;
  readonly limits: RateLimits;
}

function limitedOf(snapshot: CompiledSnapshot, session: Session): Limited[] {
  const found: Limited[] = [];
  const { addressRate, addressRatePrefix } = snapshot.policyFor(session.listener, session.ipSet);
  if (addressRate !== undefined) {
    const id = clientPrefix(session.clientAddress, addressRatePrefix || snapshot.ipv6Prefix);
    found.push({ subject: { kind: 'address', id }, limits: addressRate });
  }
  const { userRate } = snapshot;
  if (userRate !== undefined && session.login !== undefined)
    found.push({ subject: { kind: 'user', id: session.login.user }, limits: userRate });
  const ownRate = session.login === undefined ? undefined : snapshot.tenantUserRate(session.login.tenant);
  if (ownRate !== undefined && session.login !== undefined)
    found.push({ subject: tenantUser(session.login.user), limits: ownRate });
  const tenant = submittingTenant(snapshot, session);
  const tenantRate = tenant === undefined ? undefined : snapshot.tenantRate(tenant);
  if (tenant !== undefined && tenantRate !== undefined)
    found.push({ subject: { kind: 'tenant', id: tenant }, limits: tenantRate });
  return found;
}

function reasonOf({ scope, kind, limit }: Refusal, decidedBy: RateDecision['decidedBy'] | 'memory'): string {
  return `${scope} ${kind} limit ${limit} (${decidedBy})`;
}

export interface MessageLimitsOptions {
  readonly rates: Pick<RateLimiter, 'take' | 'recentlyRefused'>;
  readonly snapshot: () => CompiledSnapshot | undefined;
  readonly onRefused: (scope: RateSubject['kind']) => void;
}

export function createMessageLimits({ rates, snapshot, onRefused }: MessageLimitsOptions): MessageLimits {
  const of = (session: Session): Limited[] => {
    const now = snapshot();
    return now === undefined || !now.limitsMessages ? [] : limitedOf(now, session);
  };
  const takeAll = async (limited: readonly Limited[], { recipients, bytes }: MessageUse) => {
    for (const { subject, limits } of limited) {
      const decision = await rates.take(subject, { messages: 1, recipients, bytes }, limits);
      if (decision.kind === 'taken') continue;
      onRefused(subject.kind);
      return reasonOf(decision.refusal, decision.decidedBy);
    }
    return undefined;
  };
  return {
    bounds: (session) =>
      of(session).map(({ subject, limits: { bytes, recipients } }) => ({
        scope: subject.kind,
        bytes: bytes?.count ?? 0,
        recipients: recipients?.count ?? 0,
        intervalMs: bytes?.intervalMs ?? 0,
      })),
    barred(session) {
      for (const { subject } of of(session)) {
        const refusal = rates.recentlyRefused(subject);
        if (refusal === undefined) continue;
        onRefused(subject.kind);
        return reasonOf(refusal, 'memory');
      }
      return undefined;
    },
    take(session, use) {
      const limited = of(session);
      return limited.length === 0 ? undefined : takeAll(limited, use);
    },
  };
}
