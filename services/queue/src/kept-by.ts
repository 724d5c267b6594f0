/**
 * The words of a row that waits or was thrown away by a verdict: which rule (`id@version`), else which check, is the reason. Taken from what was
 * found; a rule of another tenant than the recipient's is not named, since rows are shown to the recipient's.
 */
import type { Envelope, FindingSummary } from '@postern/proto/mail/v1/envelope';
import type { Unit } from './expand.js';
import type { AppliedRule } from './rules/applied-rule.js';
import type { RuledUnits } from './rules/ruled-units.js';

const operatorTenant = 'system';

/** Actions that lead to each end; of equal ones the first stands. A refusal of some where others were taken is kept in quarantine. */
const actions = {
  held: [['hold']],
  quarantined: [['quarantine'], ['reject']],
  discarded: [['discard', 'dropRecipient']],
} as const;

export function keptBy(envelope: Envelope, unit: Unit, end: keyof typeof actions): string {
  const concerned = ['', unit.recipient.address, unit.via];
  const own = envelope.findings.filter(({ recipient }) => concerned.includes(recipient));
  for (const kinds of actions[end]) {
    const found = own.find(({ action }) => kinds.some((kind) => kind === action));
    if (found !== undefined) return `${end} by ${nameOf(found, unit.tenant)}`;
  }
  return `${end} by verdict`;
}

function nameOf({ check, rule, tenant }: FindingSummary, viewer: string): string {
  if (tenant !== operatorTenant && tenant !== viewer) return 'verdict';
  return check === 'rule' ? `rule ${rule}` : check;
}

/** Thrown away by what was judged before acceptance, or by a rule before delivery. */
export function discardedBy(envelope: Envelope, unit: Unit, applied: RuledUnits['applied']): string {
  const rule = applied.find((one) => one.unit === unit)?.rules.findLast(({ action }) => action === 'discard')?.rule;
  return rule === undefined ? keptBy(envelope, unit, 'discarded') : `discarded by rule ${rule}`;
}

/** By a rule before delivery, for `reason`. What was released is known again by these words. */
export function heldBy({ rule }: AppliedRule, reason: string): string {
  return reason === '' ? `held by rule ${rule}` : `held by rule ${rule}: ${reason}`;
}
