/** lists_user: does a recipient's own block or allow list name the client or the reverse-path? */
import { defineCheck } from '../check.js';
import { judgeByLists, listedClient, listOutcomes } from '../lists/list-matcher.js';
import { observeUserLists, withUserLists } from '../lists/user-lists.js';
import type { Subject } from '../subject.js';

const concerned = (subject: Subject): readonly string[] => withUserLists(subject, subject.asked);

export const listsUser = defineCheck({
  name: 'lists_user',
  settings: 'lists',
  doc: 'Does a block or allow list of the recipient itself name the client or the reverse-path? Lists of single users.',
  stage: 'rcpt',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: (subject) => concerned(subject).length > 0,
  concerns: concerned,
  evaluate(context, subject) {
    const client = listedClient(subject);
    return Promise.all(
      concerned(subject).map((recipient) =>
        observeUserLists(context, subject, recipient, (lists) =>
          judgeByLists(lists, client, [subject.facts.reversePath]),
        ),
      ),
    );
  },
});
