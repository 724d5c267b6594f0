/** lists_from: does a block or allow list name an address of the From field? The lists are those of the check `lists`. */
import { defineCheck } from '../check.js';
import { judgeAuthors } from '../lists/author-lists.js';
import { isEmpty, listOutcomes } from '../lists/list-matcher.js';

export const listsFrom = defineCheck({
  name: 'lists_from',
  settings: 'lists',
  doc: 'Does a block or allow list name an address of the From field? Same lists as `lists`.',
  stage: 'headers',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: ({ isOutsider, content }, policy) => isOutsider && content !== undefined && !isEmpty(policy),
  evaluate: (_context, { content }, policy) => [judgeAuthors(policy, content?.fields ?? [])],
});
