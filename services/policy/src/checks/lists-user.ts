/** lists_user: does a recipient's own block or allow list name the client or the reverse-path? Kept in its directory entry. */
import { usablePatch } from '@postern/check-settings';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { defineCheck } from '../check.js';
import { judgeByLists, type Lists, listedClient, listOutcomes } from '../lists/list-matcher.js';
import type { Subject } from '../subject.js';

export const listsUser = defineCheck({
  name: 'lists_user',
  settings: 'lists',
  doc: 'Does a block or allow list of the recipient itself name the client or the reverse-path? Lists of single users.',
  stage: 'rcpt',
  outcomes: listOutcomes,
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: (subject) => ownLists(subject).length > 0,
  concerns: ownLists,
  evaluate({ directory }, subject) {
    const { facts, snapshot } = subject;
    return Promise.all(
      ownLists(subject).map(async (recipient) => {
        const found = await directory.lookup(recipient);
        if (found.kind === 'unavailable') return { outcome: 'unavailable' as const, evidence: {}, recipient };
        const text = found.kind === 'found' ? found.entry.checks : '';
        const own = text === '' ? undefined : userLists(text, snapshot.policies.server);
        if (own === undefined) return { outcome: 'unlisted' as const, evidence: {}, recipient };
        return { ...judgeByLists(own, listedClient(subject), [facts.reversePath]), recipient };
      }),
    );
  },
});

function ownLists({ isOutsider, asked, snapshot }: Subject): readonly string[] {
  if (!isOutsider || !snapshot.usersSetChecks) return [];
  return asked.filter(({ recipientClass }) => recipientClass === RecipientClass.LOCAL).map(({ address }) => address);
}

const read = new Map<string, Lists | undefined>();
const mostRead = 10_000;

/** Read once per text; the oldest goes first. */
function userLists(text: string, server: Parameters<typeof usablePatch>[1]): Lists | undefined {
  if (read.has(text)) return read.get(text);
  let found: Lists | undefined;
  try {
    const { lists: own } = usablePatch(JSON.parse(text), server).patch;
    found = own === undefined ? undefined : listsIn(own);
  } catch {
    found = undefined;
  }
  read.set(text, found);
  const [oldest] = read.keys();
  if (read.size > mostRead && oldest !== undefined) read.delete(oldest);
  return found;
}

function listsIn(value: unknown): Lists {
  const texts = (field: 'block' | 'allow'): string[] => {
    const list: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
    return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : [];
  };
  return { block: texts('block'), allow: texts('allow') };
}
