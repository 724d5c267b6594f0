/**
 * What becomes of clients that do wrong (rows C5, D5, F11): their errors are counted for their address over all pods, answers come late, and
 * a temporary ban follows. Never counted: trusted proxies and filters, members of a trusted set, loopback, and an address that seems to stand
 * for many clients. A ban put there by hand holds for everybody but trusted proxies.
 */
import type { Clock } from '@postern/clock';
import { type BanList, clientPrefix, type ErrorCounts, type ErrorKind } from '@postern/flow-control';
import type { ClientFacts, Session } from '../session.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import type { KnownClients } from './known-clients.js';

export interface AbuseControl {
  /** Why this client is sent away; undefined = it is not. */
  banned(client: ClientFacts): string | undefined;
  /** A client that answers for those behind it: loopback, a trusted proxy or filter, a member of a trusted set. */
  isTrusted(session: Session): boolean;
  failed(session: Session, kind: ErrorKind): void;
  /** How late the answer to a failed command comes, milliseconds. */
  tarpitMs(session: Session): number;
  /** Undefined = greet at once. */
  beforeBanner(session: Session): Promise<void> | undefined;
  /** The client had a message accepted. */
  delivered(session: Session): void;
}

export interface AbuseControlOptions {
  readonly snapshot: () => CompiledSnapshot | undefined;
  readonly bans: Pick<BanList, 'find' | 'size'>;
  readonly counts: Pick<ErrorCounts, 'count'>;
  readonly known: KnownClients;
  readonly clock: Clock;
}

const loopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

/** A place whose address says nothing about the client behind it. */
function speaksForOthers(snapshot: CompiledSnapshot, { listener, clientAddress }: ClientFacts): boolean {
  return snapshot.isTrustedProxy(clientAddress) || snapshot.listener(listener).trustsXclient(clientAddress);
}

function isTrusted(snapshot: CompiledSnapshot, session: Session): boolean {
  return (
    loopback(session.clientAddress) ||
    snapshot.policyFor(session.listener, session.ipSet).trusted ||
    speaksForOthers(snapshot, session)
  );
}

const isExempt = (snapshot: CompiledSnapshot, session: Session): boolean =>
  session.addressSuspected || isTrusted(snapshot, session);

export function createAbuseControl({ snapshot, bans, counts, known, clock }: AbuseControlOptions): AbuseControl {
  const prefixOf = (now: CompiledSnapshot, client: ClientFacts): string =>
    clientPrefix(client.clientAddress, now.ipv6Prefix);
  return {
    banned(client) {
      const now = snapshot();
      if (now === undefined || bans.size === 0 || speaksForOthers(now, client)) return undefined;
      return bans.find(prefixOf(now, client))?.reason;
    },
    isTrusted(session) {
      const now = snapshot();
      return now !== undefined && isTrusted(now, session);
    },
    failed(session, kind) {
      const now = snapshot();
      if (now === undefined || isExempt(now, session)) return;
      const { errorControl: control } = now;
      const limit = {
        bad_command: control.badCommands,
        failed_login: control.failedLogins,
        unknown_recipient: control.unknownRecipients,
      }[kind];
      const { intervalMs: windowMs, banMs, longestBanMs: longestMs } = control;
      counts.count(prefixOf(now, session), kind, { limit, windowMs, banMs, longestMs });
    },
    tarpitMs(session) {
      const now = snapshot();
      if (now === undefined) return 0;
      const { tarpitErrors, tarpitDelayMs, longestTarpitMs } = now.errorControl;
      if (tarpitErrors === 0 || session.errors < tarpitErrors || isExempt(now, session)) return 0;
      return Math.min(longestTarpitMs, tarpitDelayMs * (session.errors - tarpitErrors + 1));
    },
    beforeBanner(session) {
      const now = snapshot();
      const waitMs = now?.errorControl.pregreetMs ?? 0;
      if (now === undefined || waitMs === 0 || session.listener.role !== 'mx' || isExempt(now, session))
        return undefined;
      const prefix = prefixOf(now, session);
      if (known.has(prefix)) return undefined;
      const learned = known.ask(prefix).then((isKnown) => (isKnown ? undefined : new Promise<never>(() => undefined)));
      return Promise.race([learned, clock.sleep(waitMs)]);
    },
    delivered(session) {
      const now = snapshot();
      if (now === undefined || now.errorControl.pregreetMs === 0 || session.listener.role !== 'mx') return;
      known.add(prefixOf(now, session));
    },
  };
}
