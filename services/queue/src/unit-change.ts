/**
 * What a batch of outcomes changes, per ledger unit (queue id, recipient). Outcomes of one unit in one batch are folded before the database
 * is asked: creation, delivery and all in one row. Pure. Order does not matter for creation against the end; the first final state wins.
 */
import type { Item } from '@postern/proto/mail/v1/item';
import { type Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import type { AppliedRule } from './rules/applied-rule.js';

export type CreatedTerm = 'accepted' | 'expanded' | 'generated';
export type FinalState = 'delivered' | 'bounced' | 'expired' | 'discarded' | 'deleted' | 'merged' | 'replaced';
export type WaitState = 'ready' | 'deferred' | 'held' | 'quarantined';

export const createdTerms: readonly CreatedTerm[] = ['accepted', 'expanded', 'generated'];
export const finalStates: readonly FinalState[] = [
  'delivered',
  'bounced',
  'expired',
  'discarded',
  'deleted',
  'merged',
  'replaced',
];

export interface Final {
  readonly state: FinalState;
  readonly attempt: number;
  readonly reply: string;
  readonly atMs: number;
  readonly outcome: Outcome;
  readonly result: RecipientResult;
}

export interface Wait {
  readonly state: WaitState;
  readonly attempt: number;
  readonly reply: string;
  /** The destination failed, not this recipient. */
  readonly siteFailure: boolean;
  readonly atMs: number;
  readonly item: Item;
  readonly outcome: Outcome;
  readonly result: RecipientResult;
}

export interface UnitChange {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly atMs: number;
  created: CreatedTerm | undefined;
  parent: string;
  final: Final | undefined;
  wait: Wait | undefined;
  /** Rules that spoke about this failure. */
  ruled: readonly AppliedRule[];
}

export type FoldResult =
  | { readonly ok: true; readonly changes: UnitChange[] }
  /** An outcome that cannot be recorded: it says a thing that makes no sense. */
  | { readonly ok: false; readonly reason: string };

const createdBy: Partial<Record<OutcomeKind, CreatedTerm>> = {
  [OutcomeKind.ACCEPTED]: 'accepted',
  [OutcomeKind.EXPANDED]: 'expanded',
  [OutcomeKind.GENERATED]: 'generated',
};
const finalBy: Partial<Record<OutcomeKind, FinalState>> = {
  [OutcomeKind.DELIVERED]: 'delivered',
  [OutcomeKind.BOUNCED]: 'bounced',
  [OutcomeKind.EXPIRED]: 'expired',
  [OutcomeKind.DISCARDED]: 'discarded',
  [OutcomeKind.DELETED]: 'deleted',
  [OutcomeKind.MERGED]: 'merged',
  [OutcomeKind.REPLACED]: 'replaced',
};

const longestReply = 512;

/** `550 5.1.1 no such user (mx.example.com)`: one line, no NUL (PostgreSQL takes none), bounded. */
export function replyLine(result: RecipientResult): string {
  const code = result.replyCode === 0 ? '' : String(result.replyCode);
  const host = result.remoteHost === '' ? '' : `(${result.remoteHost})`;
  const parts = [code, result.enhancedCode, result.replyText.slice(0, longestReply), host];
  return printable(parts.filter((part) => part !== '').join(' '));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const controls = /[\x00-\x1f\x7f]+/g;

/** Text that PostgreSQL and a terminal can take. */
export const printable = (text: string): string => text.replace(controls, ' ').trim();

/** No answer, 421, or a 4.4.x (network, routing) or 4.3.2 (not accepting): the site, not the mailbox (RFC 3463 §3.4, §3.5). */
export function isSiteFailure(result: RecipientResult): boolean {
  return result.replyCode === 0 || result.replyCode === 421 || /^4\.(4\.\d+|3\.2)$/.test(result.enhancedCode);
}

function waitState(kind: OutcomeKind, attempt: number, result: RecipientResult): WaitState | undefined {
  if (kind === OutcomeKind.HELD) return 'held';
  if (kind === OutcomeKind.QUARANTINED) return 'quarantined';
  if (kind !== OutcomeKind.DEFERRED) return undefined;
  return attempt === 0 && result.replyText === '' ? 'ready' : 'deferred';
}

const none: readonly AppliedRule[] = [];
/** The longest key columns a B-tree takes with room to spare; the edge's limits are far below. */
const longestAddress = 1_000;

export function foldOutcomes(outcomes: readonly Outcome[]): FoldResult {
  const changes = new Map<string, UnitChange>();
  for (const outcome of outcomes) {
    const problem = problemOf(outcome);
    if (problem !== undefined) return { ok: false, reason: problem };
    for (const result of outcome.recipients) {
      const key = `${outcome.queueId}\n${result.address}`;
      let change = changes.get(key);
      if (change === undefined) {
        change = {
          queueId: outcome.queueId,
          recipient: result.address,
          tenant: outcome.tenant,
          atMs: outcome.atMs,
          created: undefined,
          parent: '',
          final: undefined,
          wait: undefined,
          ruled: none,
        };
        changes.set(key, change);
      }
      apply(change, outcome, result);
    }
  }
  return { ok: true, changes: [...changes.values()] };
}

function problemOf(outcome: Outcome): string | undefined {
  const { kind, queueId, recipients, item } = outcome;
  if (queueId === '' || queueId.length > 64) return 'no queue id';
  if (outcome.tenant === '') return 'no tenant';
  if (createdBy[kind] === undefined && finalBy[kind] === undefined && waitState(kind, 1, emptyResult) === undefined)
    return `kind ${kind} is unknown`;
  if (recipients.some(({ address }) => address === '' || address.length > longestAddress || address.includes('\0')))
    return 'a recipient has no usable address';
  if (waitState(kind, 1, emptyResult) === undefined) return undefined;
  if (item === undefined) return 'what waits must bring its item';
  if (item.body?.place?.$case !== 'bodyId' || item.body.place.value === '')
    return 'the body of what waits must be in BODIES';
  return undefined;
}

const emptyResult = RecipientResult.fromPartial({});

function apply(change: UnitChange, outcome: Outcome, result: RecipientResult): void {
  const { kind, attempt, atMs, item } = outcome;
  const created = createdBy[kind];
  if (created !== undefined) {
    change.created ??= created;
    if (change.parent === '') change.parent = outcome.parentQueueId;
    return;
  }
  const state = finalBy[kind];
  if (state !== undefined) {
    change.final ??= { state, attempt, reply: replyLine(result), atMs, outcome, result };
    return;
  }
  const wait = waitState(kind, attempt, result);
  if (wait === undefined || item === undefined) return;
  if (change.wait !== undefined && change.wait.attempt >= attempt) return;
  const reply = replyLine(result);
  const over = wait === 'deferred' && item.expiresAtMs > 0 && atMs >= item.expiresAtMs;
  if (over) change.final ??= { state: 'expired', attempt, reply, atMs, outcome, result };
  else change.wait = { state: wait, attempt, reply, siteFailure: isSiteFailure(result), atMs, item, outcome, result };
}
