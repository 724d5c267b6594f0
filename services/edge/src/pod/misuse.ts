/** Bans, error counts and failed logins of this pod over the store they share with all pods, and what a session is told of them. */
import type { Clock } from '@postern/clock';
import { addressText, BanBook, BanList, ErrorCounts, type LimitStore, LoginAttempts } from '@postern/flow-control';
import type { Logger } from '@postern/telemetry';
import { type AbuseControl, createAbuseControl } from '../abuse/abuse-control.js';
import { KnownClients } from '../abuse/known-clients.js';
import { withLoginGuard } from '../abuse/login-guard.js';
import type { CredentialPort } from '../credentials.js';
import type { EdgeLogEvent } from '../events.js';
import type { EdgeMetrics } from '../metrics.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';

export interface MisuseOptions {
  /** Where bans and failed logins are. */
  readonly store: LimitStore;
  readonly clock: Clock;
  readonly log: Logger<EdgeLogEvent>;
  readonly metrics: EdgeMetrics;
  readonly snapshot: () => CompiledSnapshot | undefined;
}

export interface Misuse {
  readonly control: AbuseControl;
  /** Logins that fail too often are not heard. */
  guarded(credentials: CredentialPort): CredentialPort;
  stop(): void;
}

export async function openMisuse({ store, clock, log, metrics, snapshot }: MisuseOptions): Promise<Misuse> {
  const bans = new BanList({
    book: new BanBook(store),
    clock,
    onState: (isReachable, reason) => log.warn('edge.bans.changed', { reachable: isReachable, reason }),
  });
  metrics.bansKnown(() => bans.size);
  await bans.start();
  const counts = new ErrorCounts({
    store,
    clock,
    bans,
    onBanned: (prefix, kind, lengthMs, decidedBy) => {
      metrics.bans.with({ kind }).inc();
      const client = addressText(prefix);
      const seconds = Math.round(lengthMs / 1_000);
      log.warn('edge.client.banned', { client, kind, seconds, decided_by: decidedBy });
    },
  });
  return {
    control: createAbuseControl({ snapshot, bans, counts, known: new KnownClients(store), clock }),
    guarded: (credentials) =>
      withLoginGuard(credentials, {
        attempts: new LoginAttempts(store, clock),
        snapshot,
        clock,
        onBarred: () => metrics.loginsBarred.inc(),
        onDelayed: (seconds) => metrics.answersDelayed.with({ kind: 'login' }).observe(seconds),
      }),
    stop: () => bans.stop(),
  };
}
