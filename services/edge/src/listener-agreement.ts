/**
 * Do a listener of the pod (`edge.listeners`) and its settings in the operator file go together? Said where both can be seen: before a whole
 * start from the files, in a running pod from the snapshot. The pod's role holds in any case, and what is stricter of the two. Pure.
 */
import type { FieldPath } from '@postern/config';
import type { AgreedSettings, ListenerFacts } from '@postern/flow-control/session';

export interface Disagreement {
  /** Below `listeners.<name>`. */
  readonly field: FieldPath;
  readonly message: string;
}

/** Where the pod has it. */
export type ListenerSection = 'edge.listeners' | 'edge.moreListeners';

const quoted = (text: string): string => JSON.stringify(text);
const roles: readonly string[] = ['mx', 'submission', 'submissions'];

/** Role of the settings: a listener is of the role it is named for unless they say another. */
function roleFault(facts: ListenerFacts, said: string | undefined, section: ListenerSection): Disagreement | undefined {
  const named = roles.includes(facts.name) ? facts.name : undefined;
  const role = said ?? named;
  if (role === undefined || role === facts.role) return undefined;
  const expected = `expected ${quoted(facts.role)}, its role in ${section}`;
  const message =
    said === undefined
      ? `missing, so ${quoted(role)} as its name; ${expected}`
      : `${quoted(said)} is not the role of the listener on the pod; ${expected}`;
  return { field: ['role'], message };
}

/** `certificates`: names of those the pod has. */
export function disagreements(
  facts: ListenerFacts,
  settings: AgreedSettings,
  certificates: readonly string[],
  section: ListenerSection,
): Disagreement[] {
  const role = roleFault(facts, settings.role, section);
  const unknown = settings.certificates.flatMap((name, index): Disagreement[] => {
    if (certificates.includes(name)) return [];
    const expected =
      certificates.length === 0
        ? 'the pod has none: give it edge.tls or edge.certificates'
        : `expected one of ${certificates.join(', ')}`;
    return [{ field: ['tls', 'certificates', index], message: `${quoted(name)} is not allowed; ${expected}` }];
  });
  const needsTls = settings.requireTls ?? facts.role === 'submission';
  const isDeaf = facts.role !== 'submissions' && needsTls && certificates.length === 0 && !settings.proxyProtocol;
  const deaf: Disagreement = {
    field: ['requireTls'],
    message: 'is on, but the pod has no certificate; expected edge.tls or edge.certificates, or requireTls: false',
  };
  return [...(role === undefined ? [] : [role]), ...unknown, ...(isDeaf ? [deaf] : [])];
}
