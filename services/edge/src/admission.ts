/**
 * May this connection speak to us at all? Asked once, before the banner: drain, snapshot, access rules, then the limits of the service and the
 * listener over all pods in one round trip (design.md, step 1). A refusal names its kind to the client and the limit to the log.
 */
import { formatDuration } from '@postern/config';
import type { ConnectionLimiter, Refusal } from '@postern/flow-control';
import { type LimitName, refusingLimit, submittingTenant } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { AbuseControl } from './abuse/abuse-control.js';
import type { ClientFacts, Session } from './session.js';
import type { Opening } from './smtp/place.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

export type AdmissionOutcome = 'admitted' | 'access' | 'banned' | 'overload' | 'limit' | 'not_ready';

export interface AdmissionOptions {
  readonly limiter: Pick<ConnectionLimiter, 'admit'>;
  readonly snapshot: () => CompiledSnapshot | undefined;
  readonly abuse: Pick<AbuseControl, 'banned'>;
  readonly isDraining: () => boolean;
  /** Undefined = take mail of such a client; else why not now. */
  readonly overload: (isTrusted: boolean) => string | undefined;
  readonly onDecided: (outcome: AdmissionOutcome) => void;
}

/** What all others use is not told, only what the client's own address may. */
function refusalReply({ kind, limit, intervalMs, retryAfterMs }: Refusal): Reply {
  const what = kind.startsWith('new') ? 'new connection' : 'connection';
  if (!kind.includes('address')) return replies.tooManyConnections(`too many ${what}s now`, retryAfterMs);
  const plural = limit === 1 ? '' : 's';
  const interval = intervalMs === undefined ? '' : ` in ${formatDuration(intervalMs)}`;
  return replies.tooManyConnections(
    `no more than ${limit} ${what}${plural}${interval} from your address`,
    retryAfterMs,
  );
}

/** Limits of connections by the words of flow control. */
const names: Readonly<Record<string, LimitName>> = {
  simultaneous: 'connections',
  'simultaneous-per-address': 'connections_per_address',
  'new-per-interval': 'new_connections',
  'new-per-address-per-interval': 'new_connections_per_address',
};

interface Barrier {
  readonly outcome: AdmissionOutcome;
  readonly reply: Reply;
  readonly reason: string;
}

/** What holds for an address whatever it does: access rules and bans. */
export function barrier(
  snapshot: CompiledSnapshot,
  abuse: AdmissionOptions['abuse'],
  client: ClientFacts,
): Barrier | undefined {
  const denial = snapshot.access.denial(client.listener.name, client.clientAddress);
  if (denial !== undefined) return { outcome: 'access', reply: replies.serviceRefused, reason: denial };
  const ban = abuse.banned(client);
  return ban === undefined ? undefined : { outcome: 'banned', reply: replies.banned, reason: `banned: ${ban}` };
}

export function createAdmission(options: AdmissionOptions): (session: Session) => Promise<Opening> {
  const refuse = (outcome: AdmissionOutcome, reply: Reply, reason: string, limit?: LimitName): Opening => {
    options.onDecided(outcome);
    return { kind: 'refused', reply, reason, ...refusingLimit(limit) };
  };
  return async (session) => {
    if (options.isDraining()) return refuse('not_ready', replies.shuttingDown, 'draining');
    const snapshot = options.snapshot();
    if (snapshot === undefined) return refuse('not_ready', replies.notReady, 'no snapshot yet');
    const barred = barrier(snapshot, options.abuse, session);
    if (barred !== undefined) return refuse(barred.outcome, barred.reply, barred.reason);
    session.ipSet = snapshot.ipSet(session.listener, session.clientAddress, session.addressSuspected)?.name;
    const { scopes, trusted } = snapshot.policyFor(session.listener, session.ipSet);
    // Who may still log in, or may relay, is not a stranger yet.
    const mayBeTrusted = trusted || session.listener.role !== 'mx' || submittingTenant(snapshot, session) !== undefined;
    const overload = options.overload(mayBeTrusted);
    if (overload !== undefined) return refuse('overload', replies.overloaded, `overload: ${overload}`, 'overload');
    const { ipv6Prefix } = snapshot;
    const admission = await options.limiter.admit({ address: session.clientAddress, scopes, ipv6Prefix });
    if (admission.kind === 'joining') return refuse('not_ready', replies.notReady, 'limits: joining');
    if (admission.kind === 'refused') {
      const { refusal } = admission;
      const { scope, kind, limit, intervalMs } = refusal;
      const interval = intervalMs === undefined ? '' : ` in ${formatDuration(intervalMs)}`;
      const reason = `${scope} ${kind} limit ${limit}${interval} (${admission.decidedBy})`;
      return refuse('limit', refusalReply(refusal), reason, names[refusal.kind]);
    }
    options.onDecided('admitted');
    return { kind: 'admitted', release: () => admission.lease.release() };
  };
}
