/** Is the client in a network that is exempt from a check? Not where its address seems to stand for many: nobody knows who is behind it. */
import type { Cidr } from '@postern/config';
import { networksOf } from './network-set.js';
import type { Subject } from './subject.js';

export function isExemptClient({ facts, origin }: Pick<Subject, 'facts' | 'origin'>, exempt: readonly Cidr[]): boolean {
  return !facts.addressSuspected && networksOf(exempt).has(origin.clientAddress);
}
