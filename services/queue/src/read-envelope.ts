/** An envelope of SPOOL as it may be worked on, or why it is none. What fails here never can be placed: it is parked at once. */
import { Envelope } from '@postern/proto/mail/v1/envelope';

const queueIdPattern = /^[A-Za-z0-9_-]{1,64}$/;

export function readEnvelope(data: Uint8Array): { readonly envelope: Envelope } | { readonly reason: string } {
  let envelope: Envelope;
  try {
    envelope = Envelope.decode(data);
  } catch (error) {
    return { reason: `not an envelope: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (!queueIdPattern.test(envelope.queueId)) return { reason: 'envelope without a queue id' };
  if (envelope.forwardPaths.length === 0) return { reason: 'envelope without recipients' };
  if (envelope.forwardPaths.some(({ tenant, address }) => tenant === '' || address === ''))
    return { reason: 'a forward-path without tenant or address' };
  const place = envelope.body?.place;
  // An empty message is one too: it came with a final dot and nothing before it.
  if (place === undefined || (place.$case === 'bodyId' && place.value === ''))
    return { reason: 'envelope without a body' };
  return { envelope };
}
