/** A verdict of a simulated stage as people read it: the decision, what each check saw, each recipient, and the edits of the header. */
import { type HeaderEdit, HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import {
  Action,
  type AppliedLimits,
  type Decision,
  type EvaluateResponse,
  type Finding,
  type SimulatedReply,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { printable } from '../output.js';

const actionNames: Readonly<Partial<Record<Action, string>>> = {
  [Action.REJECT]: 'refused',
  [Action.TEMPFAIL]: 'refused for now',
  [Action.DISCARD]: 'accepted and discarded',
  [Action.QUARANTINE]: 'accepted into quarantine',
  [Action.HOLD]: 'accepted and held',
  [Action.CLOSE]: 'refused and closed',
};

function decisionText(decision: Decision | undefined): string {
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

function editLine({ kind, name, value, behind }: HeaderEdit): string {
  if (kind === HeaderEditKind.SURROUND)
    return `      header     put around ${name}: ${JSON.stringify(value)} ... ${JSON.stringify(behind)}`;
  const shown = value.replaceAll(/\r?\n[ \t]*/g, ' ');
  return `      header     ${editNames[kind] ?? 'edit'} ${name}${shown === '' ? '' : `: ${shown}`}`;
}

function findingLine(finding: Finding): string {
  const evidence = Object.entries(finding.evidence).map(([name, value]) => `${name}=${value}`);
  const parts = [
    ...evidence,
    finding.recipient === '' ? '' : `<${finding.recipient}>`,
    finding.rule === '' ? '' : `rule ${finding.rule}`,
    finding.action === '' ? '' : `-> ${finding.action}`,
    `${(finding.durationUs / 1_000).toFixed(1)} ms`,
  ];
  return `    ${finding.check.padEnd(12)} ${finding.outcome.padEnd(12)} ${parts.filter((part) => part !== '').join('  ')}`;
}

const stageNames: Readonly<Partial<Record<Stage, string>>> = {
  [Stage.CONNECT]: 'connect',
  [Stage.EHLO]: 'ehlo',
  [Stage.AUTH]: 'auth',
  [Stage.MAIL]: 'mail',
  [Stage.RCPT]: 'rcpt',
  [Stage.HEADERS]: 'headers',
  [Stage.BODY]: 'body',
};

/** Stages that were asked at once. */
export const stagesTitle = (stages: readonly Stage[]): string => stages.map((stage) => stageNames[stage]).join('+');

/** Two verdicts that do the same. */
export function sameDecisions(one: EvaluateResponse, other: EvaluateResponse): boolean {
  const told = ({ decision, recipients, groups }: EvaluateResponse): string =>
    [
      decisionText(decision),
      ...recipients.map((recipient) => `${recipient.address} ${decisionText(recipient.decision)}`),
      ...groups.map((group) => `${group.recipients.join()} ${decisionText(group.decision)}`),
    ].join('\n');
  return told(one) === told(other);
}

/** What a verdict says of whole, recipients and copies, each by what it is about. */
function decisionLines({ decision, recipients, groups }: EvaluateResponse): ReadonlyMap<string, string> {
  return new Map([
    ['decision', decisionText(decision)],
    ...recipients.map((one) => [`recipient <${one.address}>`, decisionText(one.decision)] as const),
    ...groups.map(
      (group) =>
        [`deliver to ${group.recipients.map((to) => `<${to}>`).join(' ')}`, decisionText(group.decision)] as const,
    ),
  ]);
}

/** Only what differs, then and now. */
export function differenceText(then: EvaluateResponse, now: EvaluateResponse): string[] {
  const [before, after] = [decisionLines(then), decisionLines(now)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((what) => before.get(what) !== after.get(what))
    .map((what) =>
      printable(`    ${what}: then ${before.get(what) ?? 'nothing'}; now ${after.get(what) ?? 'nothing'}`),
    );
}

function limitsLine({ messageSize, recipients }: AppliedLimits): string {
  const parts = [
    messageSize === 0 ? '' : `messages of at most ${messageSize} bytes`,
    recipients === 0 ? '' : `at most ${recipients} recipients`,
  ];
  return `    limits       ${parts.filter((part) => part !== '').join(', ')}`;
}

const commandNames: Readonly<Partial<Record<Stage, string>>> = {
  [Stage.CONNECT]: 'banner',
  [Stage.EHLO]: 'EHLO',
  [Stage.AUTH]: 'AUTH',
  [Stage.MAIL]: 'MAIL',
  [Stage.RCPT]: 'RCPT',
  [Stage.HEADERS]: 'message',
};

/** What the client is told: the codes and words it would see. */
export function repliesText(replies: readonly SimulatedReply[]): string[] {
  if (replies.length === 0) return [];
  const lines = replies.map(({ stage, recipient, replyCode, enhancedCode, text, decidedBy }) => {
    const said = [String(replyCode), enhancedCode, text].filter((part) => part !== '').join(' ');
    const to = recipient === '' ? '' : `<${recipient}> `;
    return `    ${(commandNames[stage] ?? '').padEnd(12)} ${to}${said}${decidedBy === '' ? '' : `, decided by ${decidedBy}`}`;
  });
  return ['  The client is told:', ...lines].map(printable);
}

export function stageText(verdict: EvaluateResponse, stage: string): string {
  const groups = verdict.groups.flatMap(({ recipients, decision, rendering }) => [
    `    deliver to   ${recipients.map((address) => `<${address}>`).join(' ')}: ${decisionText(decision)}`,
    ...(rendering?.edits ?? []).map(editLine),
  ]);
  return [
    `  ${stage.padEnd(9)} ${decisionText(verdict.decision)}`,
    ...verdict.findings.map(findingLine),
    ...(verdict.limits === undefined ? [] : [limitsLine(verdict.limits)]),
    ...verdict.recipients.map(({ address, decision, expandsTo }) => {
      const expanded = expandsTo.length === 0 ? '' : ` as ${expandsTo.join(', ')}`;
      return `    recipient    <${address}>${expanded}: ${decisionText(decision)}`;
    }),
    ...groups,
  ]
    .map(printable)
    .join('\n');
}
