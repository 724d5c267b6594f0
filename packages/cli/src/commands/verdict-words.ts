/** Decisions, limits and edits of a verdict in the words people read. Pure. */
import { type HeaderEdit, HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import { Action, type AppliedLimits, type Decision } from '@postern/proto/policy/v1/policy_service';

const actionNames: Readonly<Partial<Record<Action, string>>> = {
  [Action.REJECT]: 'refused',
  [Action.TEMPFAIL]: 'refused for now',
  [Action.DISCARD]: 'accepted and discarded',
  [Action.QUARANTINE]: 'accepted into quarantine',
  [Action.HOLD]: 'accepted and held',
  [Action.CLOSE]: 'refused and closed',
};

export function decisionText(decision: Decision | undefined): string {
  if (decision === undefined) return 'accepted';
  const reply = [decision.replyCode === 0 ? '' : String(decision.replyCode), decision.enhancedCode, decision.text];
  const said = reply.filter((part) => part !== '').join(' ');
  const because = decision.decidedBy === '' ? '' : `, decided by ${decision.decidedBy}`;
  return `${actionNames[decision.action] ?? 'accepted'}${said === '' ? '' : ` "${said}"`}${because}`;
}

const editNames: Readonly<Partial<Record<HeaderEditKind, string>>> = {
  [HeaderEditKind.PREPEND]: 'add first',
  [HeaderEditKind.APPEND]: 'add last',
  [HeaderEditKind.ADD_IF_ABSENT]: 'add if absent',
  [HeaderEditKind.CHANGE]: 'change',
  [HeaderEditKind.REMOVE]: 'remove',
};

export function editText({ kind, name, value, behind }: HeaderEdit): string {
  if (kind === HeaderEditKind.SURROUND)
    return `put around ${name}: ${JSON.stringify(value)} ... ${JSON.stringify(behind)}`;
  const shown = value.replaceAll(/\r?\n[ \t]*/g, ' ');
  return `${editNames[kind] ?? 'edit'} ${name}${shown === '' ? '' : `: ${shown}`}`;
}

export function limitsText({ messageSize, recipients }: AppliedLimits): string {
  const parts = [
    messageSize === 0 ? '' : `messages of at most ${messageSize} bytes`,
    recipients === 0 ? '' : `at most ${recipients} recipients`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}
