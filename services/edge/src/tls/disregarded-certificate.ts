/**
 * A certificate the client showed where one is only asked for, and that is not valid: the session goes on as if there were none. Told once for each TLS of a
 * session, so that nobody has to guess why a right or a rule of that certificate did not come.
 */
import type { Session, SessionServices } from '../session.js';

export function tellDisregarded({ journal }: Pick<SessionServices, 'journal'>, session: Session): void {
  const { clientCertificate, certificateFault } = session.tls ?? {};
  if (clientCertificate === undefined || clientCertificate.verified) return;
  const { subject, fingerprint } = clientCertificate;
  journal.record('edge.certificate.disregarded', session, {
    detail: { reason: certificateFault ?? 'not verified', certificate: subject, fingerprint },
  });
}
