/**
 * lists_from: does a block or allow list name an address of the From field? The lists are those of the check `lists`. What only looks like an address
 * can be blocked and never allowed; who hides behind more authors than anybody reads is taken for blocked.
 */
import { headerFromDomains } from '@postern/mail-message';
import { defineCheck } from '../check.js';
import { isEmpty, judgeByLists, listOutcomes } from '../lists/list-matcher.js';

const addressOf = ({ localPart, domain }: { readonly localPart: string; readonly domain: string }): string =>
  `${localPart}@${domain}`;

export const listsFrom = defineCheck({
  name: 'lists_from',
  settings: 'lists',
  doc: 'Does a block or allow list name an address of the From field? Same lists as `lists`.',
  stage: 'headers',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: ({ isOutsider, content }, policy) => isOutsider && content !== undefined && !isEmpty(policy),
  evaluate: (_context, { content }, { allow, block }) => {
    const { mailboxes, claimed, truncated } = headerFromDomains(content?.fields ?? []);
    if (truncated && block.length > 0) return [{ outcome: 'blocked', evidence: { by: 'too many authors' } }];
    const found = judgeByLists({ allow, block }, undefined, mailboxes.map(addressOf));
    if (found.outcome !== 'unlisted' || claimed.length === mailboxes.length) return [found];
    return [judgeByLists({ allow: [], block }, undefined, claimed.map(addressOf))];
  },
});
