/**
 * Messages, recipients and bytes per interval (row C2): of the client address, of the login (what the operator and what its tenant allow), of the tenant it submits for. Counted once, when
 * a message is whole and before it is judged: one Redis call for all scopes that are limited (in a Redis Cluster one for each), none where nothing is.
 * All or none: a message that any scope refuses counts in none, so that nobody uses up what is another's. Refused a moment ago = refused at MAIL.
 */
import { formatDuration } from '@postern/config';
import {
  clientPrefix,
  type RateDecision,
  type RateLimiter,
  type RateLimits,
  type RateSubject,
  type Refusal,
  tenantUser,
} from '@postern/flow-control';
import { limitNames, submittingTenant, type TermsRefusal } from '@postern/flow-control/session';
import { replies } from '@postern/smtp-core';
import type { Session } from './session.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

export interface MessageUse {
  readonly recipients: number;
  readonly bytes: number;
}

/** What an interval lets one message have at most; 0 = no limit. */
export interface MessageBound {
  readonly scope: RateSubject['kind'];
  /** For the client: itself, its login, its tenant. */
  readonly whom: string;
  readonly bytes: number;
  readonly recipients: number;
  /** In words. */
  readonly interval: string;
}

export interface MessageLimits {
  /** What the session's messages can never exceed, however long they wait; asks nobody. */
  bounds(session: Session): readonly MessageBound[];
  /** Why the session's next message is refused already; asks nobody. */
  barred(session: Session): TermsRefusal | undefined;
  /** Undefined = within all limits; else why not. */
  take(session: Session, use: MessageUse): Promise<TermsRefusal | undefined> | undefined;
}

interface Limited {
  readonly subject: RateSubject;
  readonly whom: string;
  readonly user?: string;
  readonly limits: RateLimits;
}

function limitedOf(snapshot: CompiledSnapshot, session: Session): Limited[] {
  const found: Limited[] = [];
  if (session.login !== undefined) {
    const { user, tenant } = session.login;
    const named = { whom: `user ${user}`, user };
    const { userRate } = snapshot;
    if (userRate !== undefined) found.push({ subject: { kind: 'user', id: user }, ...named, limits: userRate });
    const ownRate = snapshot.tenantUserRate(tenant);
    if (ownRate !== undefined) found.push({ subject: tenantUser(user), ...named, limits: ownRate });
  }
  const tenant = submittingTenant(snapshot, session);
  const tenantRate = tenant === undefined ? undefined : snapshot.tenantRate(tenant);
  if (tenant !== undefined && tenantRate !== undefined)
    found.push({ subject: { kind: 'tenant', id: tenant }, whom: 'your organisation', limits: tenantRate });
  const { addressRate, addressRatePrefix } = snapshot.policyFor(session.listener, session.ipSet);
  if (addressRate !== undefined) {
    const id = clientPrefix(session.clientAddress, addressRatePrefix || snapshot.ipv6Prefix);
    found.push({ subject: { kind: 'address', id }, whom: 'your address', limits: addressRate });
  }
  return found;
}

/** What its counter holds is nobody's business but the operator's: the client hears the limit, and when it is worth trying again. */
function refusalOf(
  { subject, whom, user }: Limited,
  { scope, kind, limit: most, intervalMs = 0, retryAfterMs }: Refusal,
  decidedBy: RateDecision['decidedBy'] | 'memory',
): TermsRefusal {
  const limit = limitNames.find((name) => name === `${kind}_per_${subject.kind}`);
  const interval = formatDuration(intervalMs);
  return {
    reply: replies.overRate(
      `${most} ${most === 1 ? kind.slice(0, -1) : kind} in ${interval} from ${whom}`,
      retryAfterMs,
    ),
    reason: `${scope} ${kind} limit ${most} in ${interval} (${decidedBy})`,
    ...(user === undefined ? {} : { measured: { user } }),
    ...(limit === undefined ? {} : { limit }),
  };
}

export interface MessageLimitsOptions {
  readonly rates: Pick<RateLimiter, 'takeAll' | 'recentlyRefused'>;
  readonly snapshot: () => CompiledSnapshot | undefined;
}

export function createMessageLimits({ rates, snapshot }: MessageLimitsOptions): MessageLimits {
  const of = (session: Session): Limited[] => {
    const now = snapshot();
    return now === undefined || !now.limitsMessages ? [] : limitedOf(now, session);
  };
  const takeAll = async (limited: readonly Limited[], { recipients, bytes }: MessageUse) => {
    const decision = await rates.takeAll(limited, { messages: 1, recipients, bytes });
    if (decision.kind === 'taken') return undefined;
    const one = limited[decision.at];
    return one && refusalOf(one, decision.refusal, decision.decidedBy);
  };
  return {
    bounds: (session) =>
      of(session).map(({ subject, whom, limits: { bytes, recipients } }) => ({
        scope: subject.kind,
        whom,
        bytes: bytes?.count ?? 0,
        recipients: recipients?.count ?? 0,
        interval: formatDuration((bytes ?? recipients)?.intervalMs ?? 0),
      })),
    barred(session) {
      for (const one of of(session)) {
        const refusal = rates.recentlyRefused(one.subject);
        if (refusal !== undefined) return refusalOf(one, refusal, 'memory');
      }
      return undefined;
    },
    take(session, use) {
      const limited = of(session);
      return limited.length === 0 ? undefined : takeAll(limited, use);
    },
  };
}
