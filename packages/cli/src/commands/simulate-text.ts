/** A verdict of a simulated stage as people read it: the decision, what each check saw, each recipient, and the edits of the header. */
import {
  type EvaluateResponse,
  type Finding,
  type SimulatedReply,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { printable } from '../output.js';
import { decisionText, editText, limitsText } from './verdict-words.js';

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
    ...((rendering?.tags ?? []).length === 0 ? [] : [`      tags       ${rendering?.tags.join(', ')}`]),
    ...(rendering?.edits ?? []).map((edit) => `      header     ${editText(edit)}`),
  ]);
  return [
    `  ${stage.padEnd(9)} ${decisionText(verdict.decision)}`,
    ...verdict.findings.map(findingLine),
    ...(verdict.limits === undefined ? [] : [`    limits       ${limitsText(verdict.limits)}`]),
    ...(verdict.changedSender === undefined ? [] : [`    sender       <${verdict.changedSender.address}>`]),
    ...verdict.recipients.map(({ address, decision, expandsTo }) => {
      const expanded = expandsTo.length === 0 ? '' : ` as ${expandsTo.join(', ')}`;
      return `    recipient    <${address}>${expanded}: ${decisionText(decision)}`;
    }),
    ...groups,
  ]
    .map(printable)
    .join('\n');
}
