/** Whose domain's and own rules speak, and what they may loosen for whom. One answer for every service. */
import type { ActionKind } from './action.js';
import type { Decision } from './evaluate.js';
import { addressForm, withoutTag } from './fact-form.js';
import type { Facts } from './fact-table.js';
import type { Party, RuleBook, RuleChoice } from './rule-book.js';

/** Of a recipient here the recipient's, else those of the user who is logged in. */
export function scopeAddress({ recipient, auth }: Facts): string {
  return (recipient?.routing === 'local' ? recipient.address : auth?.user) ?? '';
}

/** For a recipient: its own and those of who submits the mail; `sender.tenant` is '' for mail from outside. */
export function rulesBetween(rules: RuleBook, sender: Party, recipient: Party, isLocal: boolean): RuleChoice {
  if (!isLocal) return rules.of(recipient.tenant, sender.address);
  if (sender.tenant === '') return rules.of(recipient.tenant, recipient.address, recipient.user);
  return rules.between(sender, recipient);
}

const loosening: ReadonlySet<ActionKind> = new Set<ActionKind>(['accept', 'skip']);

/** What the sender's rules loosen holds for nobody else's recipients: it is not theirs to open. */
export function isBinding({ action, tenant, target = '' }: Decision, { tenant: owner, address, user }: Party): boolean {
  if (tenant === undefined || !loosening.has(action.kind)) return true;
  if (tenant !== owner) return false;
  const name = addressForm(address);
  const isOwn = user === undefined ? [name, withoutTag(name)].includes(target) : target === user;
  return target === '' || isOwn || target === name.slice(name.lastIndexOf('@') + 1);
}
