/**
 * What two verdicts of one step do differently, a line each: decisions, limits, sender, where recipients lead, tags and edits of the header. What was merely
 * seen is no difference. Of content only copies are compared that both verdicts make. Pure.
 */
import {
  Action,
  type Decision,
  type EvaluateResponse,
  type Finding,
  type RecipientGroup,
} from '@postern/proto/policy/v1/policy_service';
import { printable } from '../output.js';
import { decisionText, editText, limitsText } from './verdict-words.js';

/** Actions of rules that are felt later, or by the session: no part of a decision. */
const felt: ReadonlySet<string> = new Set([
  ...['addHeader', 'addHeaderIfAbsent', 'changeHeader', 'surroundHeader', 'removeHeader', 'tag'],
  ...['greeting', 'auth', 'setLimit', 'allowRelay', 'allowLocal'],
]);
const about: ReadonlySet<string> = new Set(['tenant', 'scope', 'of', 'fault', 'about']);
const refusals: ReadonlySet<Action> = new Set([Action.REJECT, Action.TEMPFAIL, Action.CLOSE]);
const mostNamed = 5;

const isRefusal = (decision: Decision | undefined): boolean => decision !== undefined && refusals.has(decision.action);

/** What holds once, by what it is about. */
function single({ decision, limits, changedSender }: EvaluateResponse): [string, string][] {
  return [
    ['decision', decisionText(decision)],
    ['limits', limits === undefined ? 'as they were' : limitsText(limits)],
    ['sender', changedSender === undefined ? 'as the client gave it' : `<${changedSender.address}>`],
  ];
}

function leadsTo({ recipients }: EvaluateResponse): [string, string][] {
  return recipients.map(({ address, decision, expandsTo }) => {
    const targets = isRefusal(decision) || expandsTo.length === 0 ? '' : ` as ${expandsTo.join(', ')}`;
    return [address, `${decisionText(decision)}${targets}`];
  });
}

function wish({ action, evidence }: Finding): string {
  const values = Object.entries(evidence).flatMap(([name, value]) => (about.has(name) ? [] : [`${name}=${value}`]));
  return [action, ...values].join(' ');
}

/** What rules want for later, by the recipient it is said for. */
function wishes({ findings }: EvaluateResponse): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const finding of findings) {
    const isWish = finding.action === 'tag' || (finding.check === 'rule' && felt.has(finding.action));
    if (!isWish) continue;
    const { recipient } = finding;
    found.set(recipient, [
      ...(found.get(recipient) ?? []),
      finding.check === 'rule' ? wish(finding) : `tag of ${finding.check}`,
    ]);
  }
  return found;
}

const doneTo = ({ rendering }: RecipientGroup): string[] => [
  ...(rendering?.edits ?? []).map(editText),
  ...(rendering?.tags ?? []).map((tag) => `tag ${tag}`),
];

/** Of each what the other has not; what is there twice counts twice. */
function apart(then: readonly string[], now: readonly string[]): string[] {
  const only = (these: readonly string[], those: readonly string[]): string[] => {
    const left = [...those];
    return these.filter((one) => {
      const at = left.indexOf(one);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  const lines = [
    ...only(then, now).map((one) => `no longer ${one}`),
    ...only(now, then).map((one) => `now also ${one}`),
  ];
  if (lines.length > 0 || then.join('\n') === now.join('\n')) return lines;
  return ['the same in another order'];
}

function changed(then: readonly [string, string][], now: readonly [string, string][]): [string, string][] {
  const [before, after] = [new Map(then), new Map(now)];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((what): [string, string][] => {
    const [was, is] = [before.get(what) ?? 'nothing', after.get(what) ?? 'nothing'];
    return was === is ? [] : [[what, `then ${was}; now ${is}`]];
  });
}

/** Copies by recipient; one that no group names leaves as it came. */
function copies(then: EvaluateResponse, now: EvaluateResponse, gone: ReadonlySet<string>): [string, string][] {
  if (isRefusal(then.decision) || isRefusal(now.decision)) return [];
  const groupsOf = ({ groups }: EvaluateResponse): Map<string, RecipientGroup> =>
    new Map(groups.flatMap((group) => group.recipients.map((address) => [address, group] as const)));
  const [before, after] = [groupsOf(then), groupsOf(now)];
  const empty: RecipientGroup = { recipients: [], decision: undefined, rendering: undefined };
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((address): [string, string][] => {
    if (gone.has(address)) return [];
    const [was, is] = [before.get(address) ?? empty, after.get(address) ?? empty];
    const decided = [decisionText(was.decision), decisionText(is.decision)];
    const lines = decided[0] === decided[1] ? [] : [`then ${decided[0]}; now ${decided[1]}`];
    const isKept = !isRefusal(was.decision) && !isRefusal(is.decision);
    const done = isKept ? apart(doneTo(was), doneTo(is)) : [];
    return [...lines, ...done].map((line) => [address, line]);
  });
}

/** One line for all recipients it is true of. */
function together(what: string, lines: readonly (readonly [string, string])[]): string[] {
  const byLine = new Map<string, string[]>();
  for (const [address, line] of lines) byLine.set(line, [...(byLine.get(line) ?? []), address]);
  return [...byLine].map(([line, addresses]) => {
    const named = addresses.slice(0, mostNamed).map((address) => `<${address}>`);
    const others = addresses.length > mostNamed ? ` and ${addresses.length - mostNamed} others` : '';
    return `${what} ${named.join(' ')}${others}: ${line}`;
  });
}

/** `gone`: recipients whom an earlier step refuses now. Empty = both do the same. */
export function differences(
  then: EvaluateResponse,
  now: EvaluateResponse,
  gone: ReadonlySet<string> = new Set(),
): string[] {
  const [before, after] = [wishes(then), wishes(now)];
  const felt = [...new Set([...before.keys(), ...after.keys()])].flatMap((address) =>
    apart(before.get(address) ?? [], after.get(address) ?? []).map((line) => [address, line] as const),
  );
  return [
    ...changed(single(then), single(now)).map(([what, line]) => `${what}: ${line}`),
    ...together(
      'recipient',
      changed(leadsTo(then), leadsTo(now)).filter(([address]) => !gone.has(address)),
    ),
    ...felt.flatMap(([address, line]) => (address === '' ? [`all recipients: ${line}`] : [])),
    ...together(
      'recipient',
      felt.filter(([address]) => address !== '' && !gone.has(address)),
    ),
    ...together('deliver to', copies(then, now, gone)),
  ].map(printable);
}

/** Addresses a verdict refuses. */
export const refusedBy = ({ recipients }: EvaluateResponse): string[] =>
  recipients.flatMap(({ address, decision }) => (isRefusal(decision) ? [address] : []));
