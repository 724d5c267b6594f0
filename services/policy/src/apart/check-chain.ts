/**
 * Which checks of content could refuse one recipient's copy without another's, as the settings of its domain have it: computed once per settings. A
 * check of the operator's that refuses the message as a whole is no difference; nor is greylist_signed, which holds up all for one.
 */
import { spareable } from '../actions.js';
import type { CheckDefinition } from '../check.js';
import { checks } from '../checks/index.js';
import { listsOf } from '../dns-lists/dns-list.js';
import { authorEntries } from '../lists/list-matcher.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { allowedBeside, authorsRefused } from './list-chain.js';

export interface CheckLink {
  readonly check: string;
  /** Equal where the same content is refused. */
  readonly key: string;
}

type Settings = CheckPolicies[CheckDefinition['settings']];

/** Author is about logins, whose settings are those of the session. */
const ofAll: ReadonlySet<string> = new Set(['greylist_signed', 'author', 'lists_user_from']);
const contentChecks = checks.filter(({ name, stage }) => (stage === 'headers' || stage === 'body') && !ofAll.has(name));

const written = new WeakMap<Settings, string>();

function textOf(settings: Settings): string {
  const known = written.get(settings);
  if (known !== undefined) return known;
  const { tenantsMay: _tenantsMay, ...rest } = settings;
  const text = JSON.stringify(rest);
  written.set(settings, text);
  return text;
}

function canRefuse({ name, settings }: CheckDefinition, policies: CheckPolicies): boolean {
  const { enabled, onFail } = policies[settings];
  if (!enabled || onFail !== 'reject') return false;
  if (name === 'lists_from') return authorEntries(policies.lists.block).length > 0;
  return name !== 'uribl' || listsOf(policies.uribl).length > 0;
}

/** Whether scopes are asked, and whether about every check: where rules skip checks for single recipients, each has all consequences to itself. */
export interface Scoping {
  readonly differ: boolean;
  readonly skipsSingly: boolean;
}

/** The consequence is left to each recipient's own settings. */
function isLeft(check: CheckDefinition, server: CheckPolicies, { differ, skipsSingly }: Scoping): boolean {
  return skipsSingly || (differ && (server[check.settings].tenantsMay === 'anything' || spareable.has(check.name)));
}

const refusesAll = (check: CheckDefinition, server: CheckPolicies, scoping: Scoping): boolean =>
  canRefuse(check, server) && !isLeft(check, server, scoping);

/** Some check refuses the content of all. */
export const someRefuseAll = (server: CheckPolicies, scoping: Scoping): boolean =>
  contentChecks.some((check) => refusesAll(check, server, scoping));

function linksOf(own: CheckPolicies, server: CheckPolicies, scoping: Scoping): CheckLink[] {
  return contentChecks.flatMap((check) => {
    const key = check.name === 'lists_from' ? listKey(check, own, server, scoping) : keyOf(check, own, server, scoping);
    return key === undefined ? [] : [{ check: check.name, key: `${check.name} ${key}` }];
  });
}

function listKey(
  check: CheckDefinition,
  own: CheckPolicies,
  server: CheckPolicies,
  scoping: Scoping,
): string | undefined {
  const replaces = server.lists.tenantsMay === 'anything';
  return authorsRefused(own.lists, server.lists, { isLeft: isLeft(check, server, scoping), replaces });
}

function keyOf(
  check: CheckDefinition,
  own: CheckPolicies,
  server: CheckPolicies,
  scoping: Scoping,
): string | undefined {
  if (refusesAll(check, server, scoping) || !canRefuse(check, own)) return undefined;
  const settings = own[check.settings];
  if (settings === server[check.settings] && !isLeft(check, server, scoping)) return undefined;
  // Whom a list of the domain's allows by From is known with the content.
  const allowed = spareable.has(check.name) ? allowedBeside(own.lists, server.lists) : [];
  return [textOf(settings), ...allowed].join(' ');
}

interface Known extends Scoping {
  readonly server: CheckPolicies;
  readonly links: readonly CheckLink[];
}

const known = new WeakMap<CheckPolicies, Known>();

export function checkLinks(own: CheckPolicies, server: CheckPolicies, scoping: Scoping): readonly CheckLink[] {
  const { differ, skipsSingly } = scoping;
  if (!differ && !skipsSingly) return [];
  const before = known.get(own);
  if (before?.server === server && before.differ === differ && before.skipsSingly === skipsSingly) return before.links;
  const links = linksOf(own, server, scoping);
  known.set(own, { server, differ, skipsSingly, links });
  return links;
}

/** A check of content that a rule runs for single recipients, with the settings of the session. */
export function wishedLink(check: CheckDefinition, session: CheckPolicies): CheckLink | undefined {
  if (!contentChecks.includes(check)) return undefined;
  const { name, settings } = check;
  const isOn = { ...session, [settings]: { ...session[settings], enabled: true } };
  return canRefuse(check, isOn) ? { check: name, key: `run ${name}` } : undefined;
}
