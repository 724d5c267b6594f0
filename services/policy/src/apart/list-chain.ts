/**
 * What block and allow lists say about the author of a message, as one recipient meets them: the operator's lists stand beside those of its domain, so that
 * only what these add makes a difference. Clients are known at RCPT. Order and spelling twice are no difference.
 */
import { authorEntries } from '../lists/list-matcher.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';

type ListSettings = CheckPolicies['lists'];

export interface ListScoping {
  /** What the operator's lists refuse is left to each recipient. */
  readonly isLeft: boolean;
  /** Lists of the domain, where it has any, take the place of the operator's. */
  readonly replaces: boolean;
}

const authorsOf = (entries: readonly string[]): readonly string[] => [...new Set(authorEntries(entries))].toSorted();

const without = (entries: readonly string[], others: readonly string[]): readonly string[] =>
  entries.filter((entry) => !others.includes(entry));

const none: readonly string[] = [];

const allowedBy = ({ enabled, allow }: ListSettings): readonly string[] => (enabled ? authorsOf(allow) : none);

const blockedBy = ({ enabled, onFail, block }: ListSettings): readonly string[] =>
  enabled && onFail === 'reject' ? authorsOf(block) : none;

/** Authors that lists of the domain allow beyond the operator's, whose word is for all of the message. */
export function allowedBeside(own: ListSettings, server: ListSettings): readonly string[] {
  return own === server ? none : without(allowedBy(own), allowedBy(server));
}

/** Equal where the same authors are refused; undefined = none, or those of all. */
export function authorsRefused(
  own: ListSettings,
  server: ListSettings,
  { isLeft, replaces }: ListScoping,
): string | undefined {
  const isShared = own === server;
  const stands = isShared || !replaces;
  const outer = blockedBy(server);
  const layers = isLeft && stands && outer.length > 0 ? [[outer, allowedBy(server)]] : [];
  if (!isShared) {
    const allowed = allowedBy(own);
    // Whom the operator's lists block in any case nobody need block again.
    const isCovered = stands && without(allowedBy(server), allowed).length === 0;
    const added = isCovered ? without(blockedBy(own), outer) : blockedBy(own);
    if (added.length > 0) layers.push([added, allowed]);
  }
  return layers.length === 0 ? undefined : JSON.stringify(layers);
}
