/** lists_user_from: does a recipient's own block or allow list name an address of the From field? The lists are those of the check `lists_user`. */
import { defineCheck } from '../check.js';
import { judgeAuthors } from '../lists/author-lists.js';
import { listOutcomes } from '../lists/list-matcher.js';
import { observeUserLists, withUserLists } from '../lists/user-lists.js';
import type { Subject } from '../subject.js';

function concerned(subject: Subject): readonly string[] {
  return subject.content === undefined ? [] : withUserLists(subject, subject.facts.recipients);
}

export const listsUserFrom = defineCheck({
  name: 'lists_user_from',
  settings: 'lists',
  doc: 'Does a block or allow list of the recipient itself name an address of the From field? Same lists as `lists_user`.',
  stage: 'headers',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: (subject) => concerned(subject).length > 0,
  concerns: concerned,
  evaluate(context, subject) {
    const fields = subject.content?.fields ?? [];
    return Promise.all(
      concerned(subject).map((recipient) =>
        observeUserLists(context, subject, recipient, (lists) => judgeAuthors(lists, fields)),
      ),
    );
  },
});
