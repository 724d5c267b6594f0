/**
 * Checks that are on and can find nothing, since what they look things up in was not given. Of a check whose settings an inner scope may give
 * (`tenantsMay: anything`) nothing is said. Pure.
 */
import type { CheckName, CheckSettings } from './all.js';
import { type CheckPatch, settingsOf } from './scope.js';

export interface IdleCheck {
  readonly check: CheckName;
  /** Completes the name of the check's `enabled`. */
  readonly message: string;
}

const asked = ['dnsbl', 'dnswl', 'uribl'] as const;

export function idleChecks(settings: CheckSettings): IdleCheck[] {
  const idle: IdleCheck[] = asked.flatMap((check) => {
    const { enabled, zones, lists, tenantsMay } = settings[check];
    if (!enabled || tenantsMay === 'anything' || zones.length + lists.length > 0) return [];
    return [{ check, message: `is on, but no list is named; expected ${check}.zones or ${check}.lists, or false` }];
  });
  const { enabled, block, allow, tenantsMay } = settings.country;
  if (enabled && tenantsMay !== 'anything' && block.length + allow.length === 0)
    idle.push({
      check: 'country',
      message: 'is on, but no country is named; expected country.block or country.allow, or false',
    });
  return idle;
}

/** Those the patch switches on, over the operator's settings and the patches between. */
export function idleInPatch(operator: CheckSettings, between: readonly CheckPatch[], patch: CheckPatch): IdleCheck[] {
  const settings = settingsOf(operator, [...between, patch]);
  if (settings === undefined) return [];
  return idleChecks(settings).filter(({ check }) => !operator[check].enabled && isSwitchedOn(patch[check]));
}

const isSwitchedOn = (fields: CheckPatch[string] | undefined): boolean =>
  typeof fields === 'object' && fields !== null && !Array.isArray(fields) && fields.enabled === true;
