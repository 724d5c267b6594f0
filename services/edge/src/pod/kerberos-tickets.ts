/** The Kerberos acceptor of this pod, if it can be had; that a mechanism somebody names is hidden for want of it is said once. */
import type { Clock } from '@postern/clock';
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import type { Logger } from '@postern/telemetry';
import type { EdgeConfig } from '../config.js';
import type { EdgeLogEvent } from '../events.js';
import type { EdgeMetrics } from '../metrics.js';
import type { KerberosAcceptor } from '../sasl/gssapi/acceptor.js';
import { openKerberos } from '../sasl/gssapi/open.js';

const namesGssapi = ({ listeners }: Snapshot): boolean =>
  listeners.some(({ authMechanismsTls, authMechanismsPlain }) =>
    [...authMechanismsTls, ...authMechanismsPlain].includes('GSSAPI'),
  );

export class KerberosTickets {
  /** Undefined = none are accepted. */
  acceptor: KerberosAcceptor | undefined;
  readonly #log: Logger<EdgeLogEvent>;
  #reason = 'edge.gssapi is not set';
  #isSaid = false;

  constructor(log: Logger<EdgeLogEvent>) {
    this.#log = log;
  }

  async open(gssapi: EdgeConfig['edge']['gssapi'], clock: Clock, metrics: EdgeMetrics): Promise<void> {
    if (gssapi === undefined) return;
    const opened = await openKerberos({
      keytab: gssapi.keytabFile,
      replayCacheDirectory: gssapi.replayCacheDirectory,
      libraryFile: gssapi.libraryFile,
      clock,
      deadlineMs: gssapi.deadline,
      onCall: (outcome, seconds) => metrics.kerberosSeconds.with({ outcome }).observe(seconds),
    });
    if (opened.kind === 'open') {
      this.acceptor = opened.acceptor;
      this.#log.info('edge.kerberos.opened', {});
    } else {
      this.#reason = opened.reason;
      this.#sayHidden();
    }
  }

  /** Another snapshot: does a listener name the mechanism? */
  look(snapshot: Snapshot): void {
    if (this.acceptor === undefined && namesGssapi(snapshot)) this.#sayHidden();
  }

  #sayHidden(): void {
    if (this.#isSaid) return;
    this.#isSaid = true;
    this.#log.warn('edge.kerberos.hidden', { reason: this.#reason });
  }
}
