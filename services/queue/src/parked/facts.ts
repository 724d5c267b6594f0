/** What is told of a parked message: envelope facts, never content, logins or parameters. */
import type { ParkedMessage } from '@postern/proto/queue/v1/queue_service';
import { type Parked, type ParkedContent, type ParkedUnit, unitsOf } from './message.js';

type ContentFacts = Pick<
  ParkedMessage,
  'queueId' | 'sessionId' | 'reversePath' | 'acceptedAtMs' | 'size' | 'attempt' | 'lane' | 'bodyId' | 'messageId'
>;

const nothing: ContentFacts = {
  queueId: '',
  sessionId: '',
  reversePath: '',
  acceptedAtMs: 0,
  size: 0,
  attempt: 0,
  lane: '',
  bodyId: '',
  messageId: '',
};

/** `stateOf` is asked for each recipient that is listed. */
export function factsOf(parked: Parked, most: number, stateOf: (unit: ParkedUnit) => string): ParkedMessage {
  const { id, stream, reason, parkedAtMs, content } = parked;
  const units = unitsOf(content);
  return {
    id,
    stream,
    reason,
    parkedAtMs,
    unreadable: content.kind === 'unreadable' ? content.why : '',
    ...contentFacts(content),
    recipients: units.slice(0, most).map((unit) => ({
      queueId: unit.queueId,
      address: unit.recipient,
      tenant: unit.tenant,
      state: stateOf(unit),
    })),
    recipientCount: units.length,
    tenants: [...new Set(units.map(({ tenant }) => tenant))].sort(),
  };
}

function contentFacts(content: ParkedContent): ContentFacts {
  if (content.kind === 'unreadable') return nothing;
  if (content.kind === 'outcomes') {
    const ids = new Set(content.outcomes.map(({ queueId }) => queueId));
    return { ...nothing, queueId: ids.size === 1 ? ([...ids][0] ?? '') : '' };
  }
  const mail = content.kind === 'envelope' ? content.envelope : content.item;
  const common = {
    ...nothing,
    queueId: mail.queueId,
    sessionId: mail.sessionId,
    reversePath: mail.reversePath,
    acceptedAtMs: mail.acceptedAtMs,
    size: mail.size,
    bodyId: mail.body?.place?.$case === 'bodyId' ? mail.body.place.value : '',
  };
  if (content.kind === 'envelope') return { ...common, messageId: content.envelope.messageId };
  return { ...common, attempt: content.item.attempt, lane: content.item.route?.lane ?? '' };
}
