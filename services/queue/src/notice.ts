/**
 * Who is told what became of a message (RFC 3461 §4.1, §5.2; RFC 3464). Decides only; `dsn.ts` writes the report.
 * Never to a null reverse-path, and only to a sender known to be the sender: no backscatter (design.md, step 5).
 */
import { Notify } from '@postern/proto/mail/v1/envelope';
import type { Item, ItemRecipient } from '@postern/proto/mail/v1/item';
import { Outcome, type OutcomeKind, type RecipientResult } from '@postern/proto/mail/v1/outcome';
import { groupNumber } from './item-id.js';

export type NoticeKind = 'failure' | 'delay' | 'success';

export interface Notice {
  readonly noticeId: string;
  readonly queueId: string;
  readonly tenant: string;
  readonly kind: NoticeKind;
  readonly outcome: Uint8Array;
  readonly atMs: number;
}

export type NoticeDecision = 'send' | 'not-asked' | 'null-reverse-path' | 'unauthenticated' | 'no-item';

const asked: Record<NoticeKind, Notify> = {
  failure: Notify.FAILURE,
  delay: Notify.DELAY,
  success: Notify.SUCCESS,
};

export function decideNotice(kind: NoticeKind, item: Item | undefined, address: string): NoticeDecision {
  if (item === undefined) return 'no-item';
  const recipient = item.recipients.find((candidate) => candidate.address === address);
  if (recipient === undefined) return 'no-item';
  if (!asksFor(recipient, kind)) return 'not-asked';
  if (item.reversePath === '') return 'null-reverse-path';
  return item.senderAuthenticated ? 'send' : 'unauthenticated';
}

/** Of how many recipients the sender is told nothing, by why. */
export function countUnreported(decisions: readonly NoticeDecision[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const why of decisions) if (why !== 'send') counts[why] = (counts[why] ?? 0) + 1;
  return counts;
}

/** Not given: failures, and delays where the service sends such notices at all (RFC 3461 §4.1). */
function asksFor({ notify }: ItemRecipient, kind: NoticeKind): boolean {
  if (notify.length === 0) return kind !== 'success';
  return notify.includes(asked[kind]);
}

interface Reported {
  readonly kind: NoticeKind;
  readonly outcome: Outcome;
  readonly result: RecipientResult;
  readonly atMs: number;
  readonly recordedAs: OutcomeKind;
}

/** One notice per outcome and kind: recipients that failed together are reported together. */
export class NoticeCollector {
  readonly #groups = new Map<Outcome, Map<NoticeKind, Reported[]>>();

  add(reported: Reported): void {
    const kinds = this.#groups.get(reported.outcome) ?? new Map<NoticeKind, Reported[]>();
    this.#groups.set(reported.outcome, kinds);
    const list = kinds.get(reported.kind);
    if (list === undefined) kinds.set(reported.kind, [reported]);
    else list.push(reported);
  }

  notices(): Notice[] {
    const notices: Notice[] = [];
    for (const [outcome, kinds] of this.#groups) {
      for (const [kind, reported] of kinds) notices.push(toNotice(outcome, kind, reported));
    }
    return notices;
  }
}

function toNotice(outcome: Outcome, kind: NoticeKind, reported: readonly Reported[]): Notice {
  const { queueId, tenant, attempt, item } = outcome;
  const addresses = reported.map(({ result }) => result.address).sort();
  const wanted = new Set(addresses);
  const [first] = reported;
  return {
    noticeId: `${queueId}:${groupNumber(addresses)}:${attempt}:${kind}`,
    queueId,
    tenant,
    kind,
    atMs: first?.atMs ?? outcome.atMs,
    outcome: Outcome.encode({
      ...outcome,
      kind: first?.recordedAs ?? outcome.kind,
      recipients: reported.map(({ result }) => result),
      item:
        item === undefined
          ? undefined
          : { ...item, recipients: item.recipients.filter(({ address }) => wanted.has(address)) },
    }).finish(),
  };
}
