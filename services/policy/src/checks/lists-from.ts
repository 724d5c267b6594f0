/** lists_from: does a block or allow list name an address of the From field? The lists are those of the check `lists`. */
import { headerFromDomains } from '@postern/mail-message';
import { defineCheck } from '../check.js';
import { isEmpty, judgeByLists, listOutcomes } from '../lists/list-matcher.js';
import type { Subject } from '../subject.js';

export const listsFrom = defineCheck({
  name: 'lists_from',
  settings: 'lists',
  doc: 'Does a block or allow list name an address of the From field? Same lists as `lists`.',
  stage: 'headers',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: ({ isOutsider, content }, policy) => isOutsider && content !== undefined && !isEmpty(policy),
  evaluate: (_context, subject, policy) => [judgeByLists(policy, undefined, authorsOf(subject))],
});

function authorsOf({ content }: Subject): string[] {
  if (content === undefined) return [];
  return headerFromDomains(content.fields).mailboxes.map(({ localPart, domain }) => `${localPart}@${domain}`);
}
