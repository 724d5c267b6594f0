/**
 * What the services of this release carry out. The language is larger than that: an action or event nobody acts on yet
 * is refused when saved, with the reason, and never silently ignored. Shrinks with every release; pure data.
 */
import type { Action, ActionKind } from './action.js';
import { isKnownAt, type RuleEvent } from './event.js';

/** Why this action at this event would have no effect; undefined = it has one. */
export type Unsupported = (action: Action, event: RuleEvent) => string | undefined;

interface Span {
  readonly first: RuleEvent;
  readonly last: RuleEvent;
}

const span = (first: RuleEvent, last: RuleEvent): Span => ({ first, last });
const session = span('connect', 'body');
const message = span('mail', 'body');
const rendering = span('rcpt', 'body');

const carriedOut: { readonly [Kind in ActionKind]?: Span } = {
  accept: session,
  reject: session,
  tempfail: session,
  close: session,
  discard: message,
  quarantine: message,
  hold: message,
  addHeader: rendering,
  addHeaderIfAbsent: rendering,
  changeHeader: rendering,
  removeHeader: rendering,
  tag: session,
  setLimit: span('connect', 'rcpt'),
  skip: session,
  redirect: span('rcpt', 'rcpt'),
  addRecipient: span('rcpt', 'rcpt'),
  dropRecipient: rendering,
};

/** Checks a rule may skip. */
export const skippableChecks: readonly string[] = [
  ...['dnswl', 'country', 'dnsbl', 'ptr', 'helo'],
  ...['lists', 'identity', 'spf', 'sender'],
  ...['lists_user', 'recipients', 'callforward', 'greylist'],
  ...['lists_from', 'author'],
  ...['dkim', 'arc', 'dmarc', 'uribl'],
];

export const notCarriedOut: Unsupported = (action, event) => {
  const acts = carriedOut[action.kind];
  if (acts === undefined) return 'is not carried out by this release';
  if (!isKnownAt(acts.first, event) || !isKnownAt(event, acts.last))
    return `is not carried out at ${event} by this release`;
  if (action.kind === 'setLimit' && action.errors !== undefined)
    return 'does not limit errors in this release; name size or recipients';
  if (action.kind === 'skip' && !skippableChecks.includes(action.check))
    return `names no check of this release; use ${skippableChecks.join(', ')}`;
  return undefined;
};
