/** Whose domain's and own rules speak: of a recipient here the recipient's, else those of the user who is logged in. One answer for every service. */
import type { Facts } from './fact-table.js';

export function scopeAddress({ recipient, auth }: Facts): string {
  return (recipient?.routing === 'local' ? recipient.address : auth?.user) ?? '';
}
