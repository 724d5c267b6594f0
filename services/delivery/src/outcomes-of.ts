/**
 * From the answers of one attempt to outcomes: accepted = delivered, permanent = bounced, temporary or no answer = deferred. Bounced and deferred
 * outcomes carry the item (body by reference) from which queue makes the DSN or the row; so does delivered where NOTIFY=SUCCESS was asked.
 */
import { Notify } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import {
  type Outcome,
  OutcomeKind,
  Outcome as OutcomeMessage,
  type RecipientResult,
} from '@postern/proto/mail/v1/outcome';
import type { RecipientAnswer } from './transport.js';

const maxText = 512;

export interface AnsweredBy {
  readonly host: string;
  readonly address: string;
  readonly tlsVersion: string;
}

const kindOf: Record<RecipientAnswer['disposition'], OutcomeKind> = {
  accepted: OutcomeKind.DELIVERED,
  temporary: OutcomeKind.DEFERRED,
  permanent: OutcomeKind.BOUNCED,
};

/** Bounded, one line, no control bytes: replies of strangers end up in logs, rows and DSNs. */
export function cleanText(text: string): string {
  let clean = '';
  for (const char of text) {
    if (clean.length >= maxText) break;
    const code = char.codePointAt(0) ?? 0;
    clean += code < 0x20 || code === 0x7f || code === 0x2028 || code === 0x2029 ? ' ' : char;
  }
  return clean;
}

function resultOf(answer: RecipientAnswer, by: AnsweredBy): RecipientResult {
  return {
    address: answer.address,
    replyCode: answer.code,
    enhancedCode: answer.enhanced,
    replyText: cleanText(answer.text),
    remoteHost: by.host,
    remoteAddress: by.address,
    tlsVersion: by.tlsVersion,
    maybeDelivered: answer.maybeDelivered,
    noticeText: '',
    noticeStatus: '',
  };
}

function wantsSuccess(item: Item): boolean {
  return item.recipients.some(({ notify }) => notify.includes(Notify.SUCCESS));
}

/** True when some outcome keeps the item beyond this attempt, so that its body must be in BODIES first. */
export function needsBody(answers: readonly RecipientAnswer[], item: Item): boolean {
  return wantsSuccess(item) || answers.some(({ disposition }) => disposition !== 'accepted');
}

/** `kept` is the item with its body by reference. */
export function outcomesOf(
  item: Item,
  kept: Item,
  answers: readonly RecipientAnswer[],
  by: AnsweredBy,
  atMs: number,
): Outcome[] {
  const outcomes: Outcome[] = [];
  for (const disposition of ['accepted', 'permanent', 'temporary'] as const) {
    const chosen = answers.filter((answer) => answer.disposition === disposition);
    if (chosen.length === 0) continue;
    const addresses = new Set(chosen.map(({ address }) => address));
    const carriesItem = disposition !== 'accepted' || wantsSuccess(item);
    const { route } = item;
    outcomes.push(
      OutcomeMessage.fromPartial({
        kind: kindOf[disposition],
        queueId: item.queueId,
        tenant: item.tenant,
        attempt: item.attempt,
        atMs,
        unitKind: item.unitKind,
        recipients: chosen.map((answer) => resultOf(answer, by)),
        ...(carriesItem
          ? { item: { ...kept, recipients: kept.recipients.filter(({ address }) => addresses.has(address)) } }
          : {}),
        // The queue finds the lane of an unruled route by itself.
        ...(route?.egress === undefined || carriesItem ? {} : { lane: route.lane }),
      }),
    );
  }
  return outcomes;
}
