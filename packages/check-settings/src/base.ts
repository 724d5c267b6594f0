/** What every check has: whether it runs, what a failure does, its deadline, and what tenants may change of it. */
import { s } from '@postern/config';

/** From mild to strict. `mark` only writes the outcome; `tag` names it in the rendering; `quarantine` keeps the message. */
export const failureActions = ['mark', 'tag', 'quarantine', 'reject'] as const;
export type FailureAction = (typeof failureActions)[number];

/** What else than a failure has a consequence; each its own, mild unless told. */
export const onOutcome = (what: string) => s.enumeration(failureActions).default('mark').doc(`What ${what} does.`);

export const networks = (what: string) => s.list(s.cidr(), { max: 10_000 }).default([]).doc(what);

export interface Common {
  readonly what: string;
  readonly enabled?: boolean;
  readonly onFail?: FailureAction;
  readonly timeout: string;
}

export function common({ what, enabled = false, onFail = 'mark', timeout }: Common) {
  return {
    enabled: s.boolean().default(enabled).doc(`Whether ${what}.`),
    onFail: s.enumeration(failureActions).default(onFail).doc('What a failure does.'),
    timeout: s.duration({ min: 100, max: 60_000 }).default(timeout).doc('Deadline of the check.'),
    tenantsMay: s
      .enumeration(['nothing', 'tighten', 'anything'])
      .default('tighten')
      .doc(
        'What tenants may change: nothing, a stricter consequence (and all of a check that is off here), or anything.',
      ),
  };
}
