/**
 * The lists of the users whose mail a recipient is: of the user itself, however its address is written, with a +tag, or by an alias that leads to it. Kept in
 * directory entries. Where an alias leads to several users all of them have to say so: there is one answer for the recipient.
 */
import { usablePatch } from '@postern/check-settings';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import type { RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import type { CheckContext, Observation } from '../check.js';
import { expand, usersOf } from '../directory/expand.js';
import type { Subject } from '../subject.js';
import type { Listing, Lists, listOutcomes } from './list-matcher.js';

type ListObservation = Observation<(typeof listOutcomes)[number]>;

const unlisted: Listing = { outcome: 'unlisted', evidence: {} };

/** Recipients whose users may have lists. */
export function withUserLists({ isOutsider, snapshot }: Subject, recipients: readonly RecipientFacts[]): string[] {
  if (!isOutsider || !snapshot.usersSetChecks) return [];
  return recipients
    .filter(({ recipientClass }) => recipientClass === RecipientClass.LOCAL)
    .map(({ address }) => address);
}

export async function observeUserLists(
  { directory }: CheckContext,
  { snapshot }: Subject,
  recipient: string,
  judge: (lists: Lists) => Listing,
): Promise<ListObservation> {
  const found = await expand(directory, recipient, (name) => {
    const domain = snapshot.domain(name);
    // Whom a domain without a list has beside its users is for the next hop to say.
    return domain?.validateRecipients === false ? { ...domain, catchAll: '' } : domain;
  });
  if (found.kind === 'unavailable') return { outcome: 'unavailable', evidence: {}, recipient };
  const users = (await usersOf(directory, found)) ?? [];
  const said: Listing[] = [];
  for (const { address, checks } of users) {
    const lists = checks === '' ? undefined : userLists(checks, snapshot.policies.server);
    const listing = lists === undefined ? unlisted : judge(lists);
    if (listing.outcome === 'unlisted') return { ...unlisted, recipient };
    const evidence = address === recipient ? listing.evidence : { ...listing.evidence, user: address };
    said.push({ ...listing, evidence });
  }
  const [first = unlisted] = said;
  return { ...(said.every(({ outcome }) => outcome === first.outcome) ? first : unlisted), recipient };
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
