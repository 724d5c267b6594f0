/**
 * Which recipients have to come in a transaction of their own: those whose content chain is not that of the first one taken. There is one reply to a
 * message, so that a refusal of one copy can only stay a refusal where all chains are equal (design.md, step 4; ADR 11). 452 as RFC 5321 §4.5.3.1.10
 * has it: who is told sends again. A logged-in client is spared: a user's mail program gives up where a relay comes again.
 */
import {
  Action,
  type Decision,
  type Finding,
  type RecipientFacts,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { replies } from '@postern/smtp-core';
import { decision } from '../verdict/decision.js';
import { type ChainSources, type ContentChain, ContentChains } from './content-chain.js';
import { differenceOf } from './difference.js';

/** Name of the finding, and of the setting. */
export const apartCheck = 'differing_content';

/** What differs. */
export type ApartBecause = 'rule' | 'check' | 'both';

export interface Apart {
  readonly address: string;
  readonly because: ApartBecause;
  readonly finding: Finding;
}

export interface ApartQuestion extends ChainSources {
  /** In the order of RCPT, those taken in earlier requests included; refused ones are not. */
  readonly taken: readonly RecipientFacts[];
  readonly unfinished: () => void;
  /** Of a recorded session: who was told so then. */
  readonly recorded: readonly Finding[];
}

/** Asked first, since nearly always the answer is no and nothing need be looked at. */
export const mayComeApart = ({ subject, wishes }: Pick<ApartQuestion, 'subject' | 'wishes'>): boolean =>
  subject.facts.recipients.length > 1 &&
  subject.origin.authenticatedUser === '' &&
  !ContentChains.isOne({ subject, wishes });

export function recipientsApart(question: ApartQuestion): readonly Apart[] {
  const kept = apartThen(question);
  const were = new Set(kept.map(({ address }) => address));
  return [
    ...kept,
    ...apartNow(
      question,
      question.taken.filter(({ address }) => !were.has(address)),
    ),
  ];
}

/** What a tenant has recorded lacks the recipients of others: who had to come apart from one of them still has. */
function apartThen({ recorded, taken }: ApartQuestion): Apart[] {
  const asked = new Set(taken.filter((one) => one.asked).map(({ address }) => address));
  return recorded
    .filter(({ recipient, evidence }) => asked.has(recipient) && evidence.first === undefined)
    .map((finding) => ({ address: finding.recipient, because: 'rule', finding }));
}

function apartNow(question: ApartQuestion, taken: readonly RecipientFacts[]): readonly Apart[] {
  const { subject, unfinished } = question;
  const [first, ...others] = taken;
  const later = others.filter(({ asked }) => asked);
  if (first === undefined || later.length === 0 || !mayComeApart(question)) return [];
  const { stayTogether } = subject.snapshot;
  const chains = new ContentChains(question);
  let before: ContentChain | undefined;
  const apart: Apart[] = [];
  for (const recipient of later) {
    if (stayTogether(first.tenant, recipient.tenant)) continue;
    before ??= chains.of(first);
    const own = before === undefined ? undefined : chains.of(recipient);
    if (before === undefined || own === undefined) {
      unfinished();
      break;
    }
    if (own.key !== before.key) apart.push(apartOf(recipient, own, first, before));
  }
  return apart;
}

function apartOf(recipient: RecipientFacts, own: ContentChain, first: RecipientFacts, before: ContentChain): Apart {
  const { because, reason } = differenceOf({ recipient, chain: own }, { recipient: first, chain: before });
  // Who else the message is for is told to nobody but the tenant of both.
  const evidence = first.tenant === recipient.tenant ? { first: first.address, reason } : { reason };
  return { address: recipient.address, because, finding: apartFinding(recipient.address, evidence) };
}

const apartFinding = (recipient: string, evidence: Finding['evidence']): Finding => ({
  ...{ check: apartCheck, outcome: 'apart', evidence, recipient },
  ...{ rule: '', durationUs: 0, stage: Stage.RCPT, action: 'tempfail' },
});

const { code, enhanced = '', text } = replies.recipientApart;

export const comeApart: Decision = decision(
  { action: Action.TEMPFAIL, code, enhanced, text: typeof text === 'string' ? text : text.join(' ') },
  apartCheck,
);
