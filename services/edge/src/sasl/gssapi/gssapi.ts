/**
 * GSSAPI (RFC 4752), server side: the client's ticket opens a context, then both sides agree on no security layer (TLS is below) and the client says as whom
 * it acts. Accepted is only that the ticket is right; which login a principal is, provisioning says.
 */
import { type Mechanism, maxCredentialLength, readUsername, type SaslFault, type SaslResult } from '../mechanism.js';
import type { Failure, KerberosExchange } from './acceptor.js';

/** More tokens than any Kerberos exchange has. */
const mostSteps = 8;
/** RFC 4752 section 3.3: no security layer, and so no buffer. */
const noLayer = Buffer.from([1, 0, 0, 0]);
const headLength = 4;

type Ended = Extract<SaslResult, { readonly kind: SaslFault | 'refused' | 'unavailable' }>;

function ended({ kind, reason }: Failure, username = ''): Ended {
  return kind === 'refused' ? { kind, username, parameters: {}, reason } : { kind, username, reason };
}

type Ask = Parameters<Mechanism>[1];

/** Undefined once the context is complete. */
async function establish(exchange: KerberosExchange, first: Buffer, challenge: Ask): Promise<Ended | undefined> {
  let token = first;
  for (let steps = 0; steps < mostSteps; steps++) {
    const step = await exchange.step(token);
    if ('reason' in step) return ended(step);
    if (step.kind === 'complete' && step.token.length === 0) return undefined;
    const response = await challenge(step.token);
    if (typeof response === 'string') return { kind: response };
    if (step.kind === 'complete') return response.length === 0 ? undefined : { kind: 'malformed' };
    token = response;
  }
  return { kind: 'malformed' };
}

/** What the client wraps in the end: its choice of layer and as whom it acts. */
function readChoice(message: Buffer): { readonly authzid: string } | undefined {
  if (message.length < headLength || message.length > headLength + maxCredentialLength || message[0] !== 1)
    return undefined;
  const said = message.subarray(headLength);
  if (said.length === 0) return { authzid: '' };
  const authzid = readUsername(said);
  return authzid === undefined ? undefined : { authzid };
}

async function exchanged(exchange: KerberosExchange, first: Buffer, challenge: Ask): Promise<SaslResult> {
  const fault = await establish(exchange, first, challenge);
  if (fault !== undefined) return fault;
  const principal = readUsername(Buffer.from(exchange.principal() ?? ''));
  if (principal === undefined) return ended({ kind: 'refused', reason: 'kerberos: no principal' });
  const offer = await exchange.wrap(noLayer);
  if (offer.kind !== 'done') return ended(offer, principal);
  const response = await challenge(offer.message);
  if (typeof response === 'string') return { kind: response };
  const answer = await exchange.unwrap(response);
  if (answer.kind !== 'done') return ended(answer, principal);
  const choice = readChoice(answer.message);
  if (choice === undefined) return { kind: 'malformed' };
  const parameters = { principal: Buffer.from(principal), authzid: Buffer.from(choice.authzid) };
  return { kind: 'exchanged', username: principal, parameters };
}

export const gssapi: Mechanism = async (initial, challenge, { kerberos }) => {
  if (kerberos === undefined) return ended({ kind: 'unavailable', reason: 'kerberos: not here' });
  const first = initial === undefined || initial.length === 0 ? await challenge(Buffer.alloc(0)) : initial;
  if (typeof first === 'string') return { kind: first };
  const exchange = kerberos.begin();
  try {
    return await exchanged(exchange, first, challenge);
  } finally {
    exchange.close();
  }
};
