/** A handshake of STARTTLS is done (RFC 3207 §4.2): what the client said in plain is forgotten, and the session goes on with what TLS says of it. */
import type { Socket } from 'node:net';
import { forgetPlain } from '../session.js';
import type { Dialogue } from '../smtp/dialogue.js';
import { tellDisregarded } from './disregarded-certificate.js';
import { tlsFactsOf } from './tls-facts.js';

/** False = the socket is not on TLS after all. */
export function beginOnTls(socket: Socket, dialogue: Dialogue): boolean {
  const facts = tlsFactsOf(socket);
  if (facts === undefined) return false;
  const { session, services } = dialogue;
  forgetPlain(session, facts);
  dialogue.resetTransaction();
  services.journal.record('edge.tls.established', session, {
    detail: {
      version: facts.version,
      cipher: facts.cipher,
      ...(facts.clientCertificate === undefined ? {} : { certificate: facts.clientCertificate.subject }),
    },
  });
  tellDisregarded(services, session);
  return true;
}
