/**
 * The report a notice asks for, as a message of its own: RFC 3464 built by @postern/dsn, null reverse-path, from our host to the reverse-path.
 * It becomes an envelope and goes the way of all mail (placement, WORK), as a `generated` unit of the tenant whose message failed.
 * Its queue id is derived from the notice, so that a repeated notice makes the same message.
 */
import { createHash } from 'node:crypto';
import { BodyMissing, type BodyStore } from '@postern/body-store';
import { buildReport, type ReportedRecipient, type ReturnedMessage } from '@postern/dsn';
import { readHeaderSection } from '@postern/mail-message';
import { BodyType, DsnReturn, Envelope, Notify } from '@postern/proto/mail/v1/envelope';
import { type Item, type ItemRecipient, LaneClass } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, type RecipientResult } from '@postern/proto/mail/v1/outcome';
import { isEnhancedCode, type ServerReply } from '@postern/smtp-core';
import { failureWords } from './failure-words.js';
import type { NoticeKind } from './notice.js';
import { ulidRandomPart, ulidTimePart } from './ulid-time.js';

export interface DsnContext {
  readonly hostname: string;
  readonly nowMs: number;
  /** Whole messages are returned up to this size. */
  readonly returnLimit: number;
  readonly bodies: BodyStore;
}

export interface NoticeRow {
  readonly noticeId: string;
  readonly queueId: string;
  readonly tenant: string;
  readonly kind: NoticeKind;
  readonly outcome: Uint8Array;
  readonly atMs: number;
}

/** Header sections longer than this are cut by the report itself. */
const headerRoom = 128 * 1024;

/** A ULID that only depends on the notice: its time, and 80 bits of its hash. */
export function noticeQueueId(noticeId: string, atMs: number): string {
  return ulidTimePart(atMs) + ulidRandomPart(createHash('sha256').update(`dsn:${noticeId}`).digest());
}

/** undefined = there is nobody to tell. */
export async function buildDsn(notice: NoticeRow, context: DsnContext): Promise<Envelope | undefined> {
  const outcome = Outcome.decode(notice.outcome);
  const { item } = outcome;
  if (item === undefined || item.reversePath === '') return undefined;
  const queueId = noticeQueueId(notice.noticeId, notice.atMs);
  const report = buildReport({
    id: queueId,
    reportingMta: context.hostname,
    to: item.reversePath,
    queueId: notice.queueId,
    envelopeId: item.parameters?.envid === undefined || item.parameters.envid === '' ? null : item.parameters.envid,
    ret: returnWish(item),
    arrivedAt: item.acceptedAtMs,
    now: context.nowMs,
    recipients: outcome.recipients.map((result) => reported(notice, outcome, item, result)),
    original: await returnedMessage(item, context),
    maxReturnedBytes: context.returnLimit,
  });
  const pieces: Buffer[] = [];
  for await (const piece of report.content()) pieces.push(piece);
  const content = Buffer.concat(pieces);
  return Envelope.fromPartial({
    queueId,
    acceptedAtMs: context.nowMs,
    submittingTenant: '',
    reversePath: report.reversePath,
    parameters: {
      bodyType: report.body === '8BITMIME' ? BodyType.BODY_TYPE_8BITMIME : BodyType.BODY_TYPE_7BIT,
      smtputf8: report.smtputf8,
    },
    // RFC 3461 §6.2: a report asks for no report.
    forwardPaths: [{ address: report.forwardPath, tenant: notice.tenant, notify: [Notify.NEVER] }],
    renderings: [{}],
    size: content.length,
    body: { place: { $case: 'inline', value: content } },
    traceparent: item.traceparent,
    messageId: `${queueId}@${context.hostname}`,
  });
}

function returnWish(item: Item): 'FULL' | 'HDRS' | null {
  const { dsnReturn, bodyType, requireTls } = item.parameters ?? {};
  // Octets that are no lines cannot stand in a report, and what had to stay under TLS is not sent back without it (RFC 8689 §5).
  if (bodyType === BodyType.BODY_TYPE_BINARYMIME || requireTls === true) return 'HDRS';
  if (dsnReturn === DsnReturn.FULL) return 'FULL';
  // Not given: the header section is enough to know the message by, and does not send its body once more (RFC 3461 §6.2 leaves it to us).
  return 'HDRS';
}

const actions = { failure: 'failed', delay: 'delayed', success: 'relayed' } as const;
const fallbackStatus = { failure: '5.0.0', delay: '4.0.0', success: '2.0.0' } as const;

function reported(notice: NoticeRow, outcome: Outcome, item: Item, result: RecipientResult): ReportedRecipient {
  const recipient = item.recipients.find(({ address }) => address === result.address);
  // What the next hop said is told as it was said (RFC 3464 §2.3.6); the status is ours where a rule of ours ended it.
  const said = result.noticeStatus === '' ? result.enhancedCode : result.noticeStatus;
  const status = isEnhancedCode(said) ? said : fallbackStatus[notice.kind];
  return {
    action: notice.kind === 'success' && item.route?.laneClass === LaneClass.LOCAL ? 'delivered' : actions[notice.kind],
    finalRecipient: result.address,
    originalRecipient: originalOf(recipient),
    status,
    reply: replyOf(result),
    remoteMta: result.remoteHost === '' ? null : result.remoteHost,
    lastAttemptAt: outcome.attempt === 0 ? null : outcome.atMs,
    retryUntil: notice.kind === 'delay' ? item.expiresAtMs : null,
    ...explained(result, item, outcome.kind),
  };
}

/** Words of ours and of rules; what the next hop said is told as its reply. */
function explained(
  result: RecipientResult,
  { route }: Item,
  kind: OutcomeKind,
): Pick<ReportedRecipient, 'explanation' | 'diagnosis'> {
  const isOwn = result.replyCode === 0 && result.replyText !== '';
  const own = isOwn ? failureWords(result, route?.laneClass, kind === OutcomeKind.EXPIRED) : { words: '' };
  const texts = [own.words, result.noticeText].filter((text) => text !== '');
  return {
    ...(texts.length === 0 ? {} : { explanation: texts.join('\n') }),
    ...(own.diagnosis === undefined ? {} : { diagnosis: own.diagnosis }),
  };
}

function originalOf(recipient: ItemRecipient | undefined): ReportedRecipient['originalRecipient'] {
  const raw = recipient?.originalRecipient ?? '';
  const split = raw.indexOf(';');
  if (split <= 0) return null;
  return { addressType: raw.slice(0, split).toLowerCase(), address: raw.slice(split + 1), raw };
}

function replyOf(result: RecipientResult): ServerReply | null {
  if (result.replyCode === 0) return null;
  const enhanced = isEnhancedCode(result.enhancedCode) ? result.enhancedCode : null;
  return { code: result.replyCode, enhanced, lines: [result.replyText] };
}

/** The original as far as it is at hand; a body that is gone leaves an empty header section, and the report goes all the same. */
async function returnedMessage(item: Item, { bodies, returnLimit }: DsnContext): Promise<ReturnedMessage> {
  const content = await firstBytes(item, bodies, Math.max(headerRoom, Math.min(item.size, returnLimit)));
  const { bodyOffset } = readHeaderSection(content);
  const whole = content.length === item.size && item.size <= returnLimit;
  return {
    header: content.subarray(0, bodyOffset),
    content: whole ? () => [content] : null,
    size: item.size,
    eightBit: content.some((octet) => octet > 127),
    smtputf8: item.parameters?.smtputf8 === true,
  };
}

async function firstBytes(item: Item, bodies: BodyStore, limit: number): Promise<Buffer> {
  const place = item.body?.place;
  if (place === undefined) return Buffer.alloc(0);
  if (place.$case === 'inline') return Buffer.from(place.value);
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of bodies.read(place.value)) {
      pieces.push(piece);
      size += piece.length;
      if (size >= limit) break;
    }
  } catch (error) {
    if (!(error instanceof BodyMissing)) throw error;
  }
  return Buffer.concat(pieces);
}
