/** lists: does a block or allow list of the operator, the tenant or the domain name the client or the reverse-path? Allow goes before block. */
import { defineCheck } from '../check.js';
import { isEmpty, judgeByLists, listedClient, listOutcomes } from '../lists/list-matcher.js';

export const lists = defineCheck({
  name: 'lists',
  settings: 'lists',
  doc: 'Does a block or allow list name the client or the reverse-path? Own lists of operator, tenant and domain.',
  stage: 'mail',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: ({ isOutsider, facts }, policy) => isOutsider && facts.hasReversePath && !isEmpty(policy),
  evaluate: (_context, subject, policy) => [judgeByLists(policy, listedClient(subject), [subject.facts.reversePath])],
});
