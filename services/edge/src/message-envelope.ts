/**
 * Turns a judged transaction into the envelope that is stored: every recipient gets its rendering and disposition. The Received field is the
 * first prepended edit of every rendering, so what policy prepends stands above it (RFC 5321 §4.4). Recipients with equal renderings share
 * one; more than eight is a fault of policy and refused as temporary.
 */

import { isAbout, isAcceptance, ownerOf, withoutTexts } from '@postern/flow-control/session';
import { formatReceived } from '@postern/mail-message';
import {
  Disposition,
  type Envelope,
  type FindingSummary,
  type ForwardPath,
  type HeaderEdit,
  HeaderEditKind,
  Notify,
  Rendering,
} from '@postern/proto/mail/v1/envelope';
import { Action, type Finding, type RecipientGroup } from '@postern/proto/policy/v1/policy_service';
import type { NotifyEvent } from '@postern/smtp-core';
import { mailParameters, originOf } from './judgement.js';
import type { Session } from './session.js';
import { actionOf, type Recipient, strongerAction, type Transaction } from './transaction.js';

/** Different forms in which one message may leave (design.md, step 4). */
export const maxRenderings = 8;

const noTenants: ReadonlyMap<string, string> = new Map();

const notifyValues: Readonly<Record<NotifyEvent, Notify>> = {
  SUCCESS: Notify.SUCCESS,
  FAILURE: Notify.FAILURE,
  DELAY: Notify.DELAY,
};

const dispositions = new Map<Action, Disposition>([
  [Action.DISCARD, Disposition.DISCARD],
  [Action.QUARANTINE, Disposition.QUARANTINE],
  [Action.HOLD, Disposition.HOLD],
]);

export interface EnvelopeFacts {
  readonly session: Session;
  readonly transaction: Transaction;
  readonly groups: readonly RecipientGroup[];
  /** Said about the whole message at the end of data. */
  readonly action: Action;
  readonly hostname: string;
  readonly podName: string;
  readonly snapshotVersion: number;
  readonly acceptedAtMs: number;
  readonly size: number;
  readonly messageId: string;
}

function receivedEdit(facts: EnvelopeFacts): HeaderEdit {
  const { session, transaction } = facts;
  const value = formatReceived({
    greeting: session.greeting?.name ?? '',
    clientAddress: session.clientAddress,
    clientName: null,
    by: facts.hostname,
    id: transaction.queueId,
    forAddress: transaction.recipients.length === 1 ? (transaction.recipients[0]?.address ?? null) : null,
    tlsDetail: session.tls ?? null,
    receivedAt: facts.acceptedAtMs,
    protocol: session.greeting?.esmtp === true ? 'esmtp' : 'smtp',
    tls: session.tls !== undefined,
    authenticated: session.login !== undefined,
    smtputf8: transaction.mail.smtputf8,
  });
  return { kind: HeaderEditKind.PREPEND, name: 'Received', value, index: 0, behind: '' };
}

interface Assigned {
  readonly rendering: number;
  readonly action: Action;
}

/** Renderings, and what each address of a group has; every other address has the plain one. */
function renderingsOf(groups: readonly RecipientGroup[], received: HeaderEdit) {
  const plain: Rendering = { edits: [received], replacedBodyId: '', tags: [] };
  const renderings: Rendering[] = [];
  const indexes = new Map<string, number>();
  const indexOf = (rendering: Rendering): number => {
    const key = Buffer.from(Rendering.encode(rendering).finish()).toString('latin1');
    const known = indexes.get(key);
    if (known !== undefined) return known;
    indexes.set(key, renderings.length);
    return renderings.push(rendering) - 1;
  };
  const ofAddress = new Map<string, Assigned>();
  for (const { recipients, rendering, decision } of groups) {
    const own = rendering === undefined ? plain : { ...rendering, edits: [received, ...rendering.edits] };
    const index = indexOf(own);
    // A refusal of some where others are taken cannot be said any more: what was refused is kept apart and recorded.
    const action = isAcceptance(decision) ? actionOf(decision) : Action.QUARANTINE;
    for (const address of recipients) ofAddress.set(address, { rendering: index, action });
  }
  let plainIndex: number | undefined;
  const assigned = (address: string): Assigned => {
    const found = ofAddress.get(address);
    if (found !== undefined) return found;
    // Without groups there is nothing to compare with: the common case encodes nothing here.
    plainIndex ??= groups.length === 0 ? renderings.push(plain) - 1 : indexOf(plain);
    return { rendering: plainIndex, action: Action.ACCEPT };
  };
  return { renderings, assigned };
}

function forwardPath(recipient: Recipient, rendering: number, action: Action): ForwardPath {
  const { command } = recipient;
  return {
    address: recipient.address,
    tenant: recipient.tenant,
    recipientClass: recipient.recipientClass,
    notify:
      command.notify === null
        ? []
        : command.notify.length === 0
          ? [Notify.NEVER]
          : command.notify.map((event) => notifyValues[event]),
    originalRecipient:
      command.originalRecipient === null
        ? ''
        : `${command.originalRecipient.addressType};${command.originalRecipient.address}`,
    rendering,
    disposition: dispositions.get(action) ?? Disposition.DELIVER,
    expandsTo: [...recipient.expandsTo],
  };
}

/** What was found of recipients that were refused says nothing about the message that was taken. */
function findingsOf(transaction: Transaction): FindingSummary[] {
  const { recipients } = transaction;
  const findings = transaction.findings.told();
  const tenants = findings.every(({ recipient }) => recipient === '')
    ? noTenants
    : new Map(recipients.map(({ address, tenant }) => [address, tenant]));
  return findings
    .filter(({ recipient }) => recipient === '' || tenants.has(recipient))
    .map((finding) => summaryOf(finding, ownerOf(finding, transaction.submittingTenant, tenants)));
}

const lineOf = (evidence: Readonly<Record<string, string>>): string =>
  Object.entries(evidence)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

function summaryOf(finding: Finding, tenant: string): FindingSummary {
  const { check, outcome, evidence, recipient, rule, action, durationUs } = finding;
  return {
    ...{ check, outcome, evidence: lineOf(evidence), recipient, tenant, rule, action, durationUs },
    // Rules of a tenant cannot name another one's login, and are shown to nobody else.
    evidenceForOthers:
      evidence.tenant === undefined && isAbout(finding, 'submitter') ? lineOf(withoutTexts(evidence)) : '',
  };
}

/** Undefined where policy asked for more forms than a message may have. */
export function buildEnvelope(facts: EnvelopeFacts): Envelope | undefined {
  const { session, transaction } = facts;
  const { renderings, assigned } = renderingsOf(facts.groups, receivedEdit(facts));
  const forwardPaths = transaction.recipients.map((recipient) => {
    const own = assigned(recipient.address);
    const said = strongerAction(strongerAction(facts.action, recipient.action), own.action);
    return forwardPath(recipient, own.rendering, said);
  });
  if (renderings.length > maxRenderings) return undefined;
  return {
    queueId: transaction.queueId,
    sessionId: session.id,
    acceptedAtMs: facts.acceptedAtMs,
    submittingTenant: transaction.submittingTenant ?? '',
    origin: originOf(session, transaction.mail.smtputf8, facts.podName),
    reversePath: transaction.changedSender ?? transaction.mail.reversePath.address,
    parameters: mailParameters(transaction.mail),
    forwardPaths,
    renderings,
    size: facts.size,
    body: undefined,
    unjudged: transaction.unjudged,
    traceparent: session.traceparent,
    snapshotVersion: facts.snapshotVersion,
    senderAuthenticated: transaction.senderAuthenticated || session.login !== undefined,
    findings: findingsOf(transaction),
    messageId: facts.messageId,
  };
}
