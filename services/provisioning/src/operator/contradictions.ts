/**
 * One network said two things of: allowed and denied at one level, or with relay right for two tenants. One of them counts, which is told as a note; it is
 * not refused, since a list may come from several hands. Pure.
 */
import type { Fault, FieldPath } from '@postern/config';
import type { OperatorDocument } from './schema.js';

const mostTold = 20;

interface Rule {
  readonly path: FieldPath;
  readonly at: string;
  readonly network: string;
  readonly priority: number;
  readonly action: string;
}

/** In the order they count in where priorities are equal. */
const rulesOf = ({ access, listeners }: OperatorDocument): Rule[] => [
  ...access.map((rule, index) => ({
    ...rule,
    path: ['access', index, 'network'],
    at: rule.level === 'global' ? 'global' : `${rule.level} ${rule.target}`,
  })),
  ...Object.entries(listeners).flatMap(([name, listener]) =>
    listener.access.map((rule, index) => ({
      ...rule,
      path: ['listeners', name, 'access', index, 'network'],
      at: `listener ${name}`,
    })),
  ),
];

function accessNotes(document: OperatorDocument): Fault[] {
  const counts = new Map<string, Rule>();
  const rules = rulesOf(document);
  for (const rule of rules) {
    const key = `${rule.at} ${rule.network}`;
    const before = counts.get(key);
    if (before === undefined || rule.priority < before.priority) counts.set(key, rule);
  }
  return rules.flatMap((rule) => {
    const other = counts.get(`${rule.at} ${rule.network}`);
    if (other === undefined || other.action === rule.action) return [];
    const why = other.priority < rule.priority ? `priority ${other.priority}` : 'written first';
    const message = `"${rule.network}" never counts for ${rule.action}: ${other.action} of it at the same level (${rule.at}) does, ${why}`;
    return [{ path: rule.path, message }];
  });
}

function relayNotes({ relayNetworks }: OperatorDocument): Fault[] {
  const last = new Map(relayNetworks.map(({ network, tenant }) => [network, tenant]));
  return relayNetworks.flatMap(({ network, tenant }, index) => {
    const other = last.get(network);
    return other === undefined || other === tenant
      ? []
      : [
          {
            path: ['relayNetworks', index, 'network'],
            message: `"${network}" never counts for tenant ${tenant}: it is given to ${other} too, and what is written last counts`,
          },
        ];
  });
}

export const contradictionNotes = (document: OperatorDocument): Fault[] => [
  ...accessNotes(document).slice(0, mostTold),
  ...relayNotes(document).slice(0, mostTold),
];
