/**
 * The words of a row that waits or was thrown away by a verdict: which rule (`id@version`), else which check, is the reason. Taken from what was
 * found; a rule of another tenant than the recipient's is not named, since rows are shown to the recipient's.
 */
import type { Envelope, FindingSummary } from '@postern/proto/mail/v1/envelope';
import type { Unit } from './expand.js';
import type { RuledUnits } from './rules/ruled-units.js';

const operatorTenant = 'system';

/** Actions that lead to each end; of equal ones the first stands. A refusal of some where others were taken is kept in quarantine. */
const actions = {
  held: [['hold']],
  quarantined: [['quarantine'], ['reject']],
  discarded: [['discard', 'dropRecipient']],
} as const;

export function keptBy(envelope: Envelope, unit: Unit, end: keyof typeof actions): string {
  const own = envelope.findings.filter(({ recipient }) => recipient === '' || recipient === unit.recipient.address);
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

type Applied = RuledUnits['applied'];

const ruleOf = (unit: Unit, applied: Applied, action: 'hold' | 'discard'): string | undefined =>
  applied.find((one) => one.unit === unit)?.rules.findLast((rule) => rule.action === action)?.rule;

/** Thrown away by what was judged before acceptance, or by a rule before delivery. */
export function discardedBy(envelope: Envelope, unit: Unit, applied: Applied): string {
  const rule = ruleOf(unit, applied, 'discard');
  return rule === undefined ? keptBy(envelope, unit, 'discarded') : `discarded by rule ${rule}`;
}

/** By a rule before delivery; `text`: its own words. */
export function heldBy(unit: Unit, applied: Applied, text: string): string {
  const rule = ruleOf(unit, applied, 'hold');
  if (rule === undefined) return text;
  return text === '' ? `held by rule ${rule}` : `held by rule ${rule}: ${text}`;
}
