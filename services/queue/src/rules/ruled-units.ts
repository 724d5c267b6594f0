/** Units of one accepted message that could start now, as relay rules decide: where each goes, or that it does not. Pure but for the rules asked. */
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import type { Unit } from '../expand.js';
import type { UnitRoute } from '../items.js';
import type { RouteResult } from '../route.js';
import type { AppliedRule } from './applied-rule.js';
import type { DeliverySubject } from './delivery-facts.js';
import type { Relayed } from './relay-rules.js';

export type AskRelay = (subject: DeliverySubject, before: RouteResult) => Relayed;

export interface RoutedUnit {
  readonly unit: Unit;
  readonly to: UnitRoute;
}

export interface EndedUnit extends RoutedUnit {
  readonly kind: Exclude<Relayed['kind'], 'go'>;
  readonly enhanced: string;
  readonly text: string;
}

export interface RuledUnits {
  readonly go: readonly RoutedUnit[];
  readonly ended: readonly EndedUnit[];
  readonly applied: readonly { readonly unit: Unit; readonly rules: readonly AppliedRule[] }[];
}

export const unitRoute = (result: RouteResult): UnitRoute =>
  result.kind === 'routed' ? { route: result.route } : { reason: result.reason };

export function ruleUnits(
  envelope: Envelope,
  units: readonly { readonly unit: Unit; readonly result: RouteResult }[],
  ask: AskRelay,
): RuledUnits {
  const go: RoutedUnit[] = [];
  const ended: EndedUnit[] = [];
  const applied: { unit: Unit; rules: readonly AppliedRule[] }[] = [];
  for (const { unit, result } of units) {
    const said = ask(
      {
        recipient: unit.address,
        tenant: unit.tenant,
        reversePath: envelope.reversePath,
        size: envelope.size,
        acceptedAtMs: envelope.acceptedAtMs,
        attempt: 1,
        tags: envelope.renderings[unit.rendering]?.tags ?? [],
        origin: envelope.origin,
        route: result.kind === 'routed' ? result.route : undefined,
      },
      result,
    );
    if (said.applied.length > 0) applied.push({ unit, rules: said.applied });
    const to = { ...unitRoute(said.route), retry: said.retry };
    if (said.kind === 'go') go.push({ unit, to });
    else ended.push({ unit, to, kind: said.kind, enhanced: said.enhanced, text: said.text });
  }
  return { go, ended, applied };
}
