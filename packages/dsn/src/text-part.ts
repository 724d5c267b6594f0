/** The part a person reads. RFC 3464 §2: first part of the report. Plain sentences, the next hop's words quoted. */
import { formatDate } from '@postern/mail-message';
import { cleanReplyText } from '@postern/smtp-core';
import type { ReportAction, ReportedRecipient, ReportFacts } from './report.js';

/** Most telling first: a report with one failure among delays is a failure report. */
const ORDER: readonly ReportAction[] = ['failed', 'delayed', 'expanded', 'relayed', 'delivered'];

const SUBJECTS: { readonly [Action in ReportAction]: string } = {
  failed: 'Undelivered mail returned to sender',
  delayed: 'Delivery delayed, still trying',
  delivered: 'Mail delivered',
  relayed: 'Mail relayed',
  expanded: 'Mail delivered to a list',
};

const HEADINGS: { readonly [Action in ReportAction]: string } = {
  failed: 'Your message could not be delivered to:',
  delayed: 'Your message has not been delivered yet. No action is needed; delivery goes on to be tried for:',
  delivered: 'Your message was delivered to:',
  relayed: 'Your message was handed to a system that sends no delivery reports, for:',
  expanded: 'Your message was delivered to a list, which sends it on:',
};

export function mainAction(recipients: readonly ReportedRecipient[]): ReportAction {
  return ORDER.find((action) => recipients.some((recipient) => recipient.action === action)) ?? 'failed';
}

export function subjectOf(facts: ReportFacts): string {
  return cleanReplyText(facts.text?.subject ?? SUBJECTS[mainAction(facts.recipients)], true);
}

function describe(recipient: ReportedRecipient): string {
  const lines = [`  <${cleanReplyText(recipient.finalRecipient, true)}>`];
  const original = recipient.originalRecipient?.address;
  if (original !== undefined && original !== recipient.finalRecipient)
    lines.push(`    (sent to ${cleanReplyText(original, true)})`);
  for (const line of recipient.explanation?.split('\n') ?? []) lines.push(`    ${cleanReplyText(line, true)}`);
  if (recipient.reply !== null) {
    const { code, enhanced, lines: said } = recipient.reply;
    const who = recipient.remoteMta === null ? 'The next server' : cleanReplyText(recipient.remoteMta, true);
    const words = cleanReplyText(said.join(' '), true).slice(0, 900);
    lines.push(`    ${who} said: ${code}${enhanced === null ? '' : ` ${enhanced}`} ${words}`);
  }
  if (recipient.action === 'delayed' && recipient.retryUntil !== null) {
    lines.push(`    Tried until ${formatDate(recipient.retryUntil)}.`);
  }
  return lines.join('\r\n');
}

/** Lines with CRLF; may hold UTF-8. */
export function textPart(facts: ReportFacts): string {
  const paragraphs = [`This is the mail system at ${facts.reportingMta}.`];
  if (facts.text?.opening !== undefined) paragraphs.push(cleanReplyText(facts.text.opening, true));
  for (const action of ORDER) {
    const chosen = facts.recipients.filter((recipient) => recipient.action === action);
    if (chosen.length > 0) paragraphs.push(HEADINGS[action], ...chosen.map(describe));
  }
  if (facts.text?.closing !== undefined) paragraphs.push(cleanReplyText(facts.text.closing, true));
  return `${paragraphs.join('\r\n\r\n')}\r\n`;
}
