/**
 * From the connection to its banner: its place in the limits, the wait for its silence, what access and rules say of it before policy is asked. There
 * is no fixed delay. Told here; said by the connection.
 */
import { earlyRefusal } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { Session, SessionServices } from '../session.js';
import { tellDisregarded } from '../tls/disregarded-certificate.js';
import type { Dialogue } from './dialogue.js';
import type { EarlyTalk } from './early-talk.js';
import type { Opening, Place } from './place.js';

export type Beginning =
  | { readonly kind: 'greeted' | 'refused'; readonly reply: Reply }
  /** Nobody is there to be told. */
  | { readonly kind: 'gone' };

export interface Beginner {
  readonly session: Session;
  readonly services: SessionServices;
  readonly dialogue: Dialogue;
  readonly place: Place;
  readonly early: EarlyTalk;
  isGone(): boolean;
}

export async function begin({ session, services, dialogue, place, early, isGone }: Beginner): Promise<Beginning> {
  const opening = await place.take(session);
  if (opening.kind === 'refused') return refused(services, session, opening);
  if (isGone()) return { kind: 'gone' };
  const wait = services.abuse.beforeBanner(session);
  if (wait !== undefined) {
    early.listen();
    if (isGone()) return { kind: 'gone' };
    await wait;
    if (isGone()) return { kind: 'gone' };
  }
  const ruled = earlyRefusal(services, session, 'connect');
  if (ruled !== undefined) return refused(services, session, { reply: ruled.reply, reason: ruled.rule });
  services.journal.record('edge.session.opened', session);
  tellDisregarded(services, session);
  const policy = dialogue.policy();
  return { kind: 'greeted', reply: replies.greeting(policy?.hostname ?? services.settings.podName, policy?.banner) };
}

function refused(
  { journal }: SessionServices,
  session: Session,
  { reply, reason, limit }: Omit<Extract<Opening, { kind: 'refused' }>, 'kind'>,
): Beginning {
  const limited = limit === undefined ? {} : { limit };
  journal.record('edge.session.refused', session, { reply, detail: { reason }, ...limited });
  return { kind: 'refused', reply };
}
