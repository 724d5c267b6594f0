/**
 * What each kind of action may: at which events it can act, whether a tenant may use it without the operator's leave (nothing that opens or loosens),
 * whether it ends the rule set, and how its body is read. One row a kind.
 */
import type { Action, ActionKind, Clientele } from './action.js';
import { changedHeader, header, limits, mechanismsOffered, reply, retries } from './action-bodies.js';
import { isKnownAt, type RuleEvent } from './event.js';
import type { Fields } from './fields.js';
import { routeBody } from './route-body.js';

export interface ActionRule {
  readonly events: (event: RuleEvent) => boolean;
  readonly tenant: boolean;
  readonly final: boolean;
  readonly parse: (fields: Fields) => Action;
}

const judged = (event: RuleEvent): boolean => isKnownAt(event, 'relay');
const refusing = (event: RuleEvent): boolean => judged(event) || event === 'temporary-failure';
const deferring = (event: RuleEvent): boolean => judged(event) || event === 'delivery-failure';
const inSession = (event: RuleEvent): boolean => !isKnownAt('relay', event);
const before = (last: RuleEvent) => (event: RuleEvent) => isKnownAt(event, last);
const between = (first: RuleEvent, last: RuleEvent) => (event: RuleEvent) =>
  isKnownAt(first, event) && isKnownAt(event, last);
const after = (first: RuleEvent) => (event: RuleEvent) => isKnownAt(first, event);

const clienteles: readonly [Clientele, ...Clientele[]] = ['none', 'authenticated', 'all'];
const checkName = (fields: Fields): string => fields.text('check', undefined, 64);

const content = between('mail', 'body');
const keeping = after('mail');
const envelope = between('rcpt', 'body');
const headerEvents = between('rcpt', 'relay');

const actionRules: { readonly [Kind in ActionKind]: ActionRule } = {
  accept: { events: inSession, tenant: false, final: true, parse: () => ({ kind: 'accept' }) },
  reject: { events: refusing, tenant: true, final: true, parse: (fields) => reply('reject', fields) },
  tempfail: { events: deferring, tenant: true, final: true, parse: (fields) => reply('tempfail', fields) },
  discard: { events: keeping, tenant: true, final: true, parse: () => ({ kind: 'discard' }) },
  quarantine: {
    events: content,
    tenant: true,
    final: true,
    parse: (fields) => ({ kind: 'quarantine', reason: fields.text('reason', 'rule') }),
  },
  hold: {
    events: keeping,
    tenant: true,
    final: true,
    parse: (fields) => ({ kind: 'hold', reason: fields.text('reason', 'rule') }),
  },
  close: {
    events: inSession,
    tenant: false,
    final: true,
    parse: (fields) => ({ kind: 'close', text: fields.text('text', 'Closing by rule') }),
  },
  greeting: {
    events: (event) => event === 'connect',
    tenant: false,
    final: false,
    parse: (fields) => ({ kind: 'greeting', text: fields.text('text', undefined, 200) }),
  },
  setLimit: {
    events: before('rcpt'),
    tenant: true,
    final: false,
    parse: limits,
  },
  auth: {
    events: before('ehlo'),
    tenant: false,
    final: false,
    parse: mechanismsOffered,
  },
  requireTls: {
    events: before('rcpt'),
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'requireTls', text: fields.text('text', 'Must issue a STARTTLS command first') }),
  },
  allowRelay: {
    events: before('rcpt'),
    tenant: false,
    final: false,
    parse: (fields) => ({ kind: 'allowRelay', for: fields.oneOf('for', clienteles) }),
  },
  allowLocal: {
    events: before('rcpt'),
    tenant: false,
    final: false,
    parse: (fields) => ({ kind: 'allowLocal', for: fields.oneOf('for', clienteles) }),
  },
  skip: {
    events: inSession,
    tenant: false,
    final: false,
    parse: (fields) => ({ kind: 'skip', check: checkName(fields) }),
  },
  run: {
    events: inSession,
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'run', check: checkName(fields) }),
  },
  addHeader: { events: headerEvents, tenant: true, final: false, parse: (fields) => header('addHeader', fields) },
  addHeaderIfAbsent: {
    events: headerEvents,
    tenant: true,
    final: false,
    parse: (fields) => header('addHeaderIfAbsent', fields),
  },
  changeHeader: { events: headerEvents, tenant: true, final: false, parse: changedHeader },
  removeHeader: {
    events: headerEvents,
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'removeHeader', name: fields.headerName('name') }),
  },
  addRecipient: {
    events: envelope,
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'addRecipient', address: fields.address('address') }),
  },
  dropRecipient: { events: envelope, tenant: true, final: false, parse: () => ({ kind: 'dropRecipient' }) },
  redirect: {
    events: envelope,
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'redirect', address: fields.address('address') }),
  },
  changeSender: {
    events: between('mail', 'body'),
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'changeSender', address: fields.address('address', true) }),
  },
  tag: {
    events: () => true,
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'tag', name: fields.text('name', undefined, 64) }),
  },
  route: { events: (event) => event === 'relay', tenant: false, final: false, parse: routeBody },
  ndrText: {
    events: after('relay'),
    tenant: true,
    final: false,
    parse: (fields) => ({ kind: 'ndrText', text: fields.text('text', undefined, 1_000) }),
  },
  retrySchedule: {
    events: after('relay'),
    tenant: true,
    final: false,
    parse: retries,
  },
};

const rulesByName: ReadonlyMap<string, ActionRule> = new Map(Object.entries(actionRules));

export const actionRule = (name: string): ActionRule | undefined => rulesByName.get(name);

/** Without the operator's leave. */
export const isOpenToTenants = (kind: ActionKind): boolean => actionRules[kind].tenant;

export function isFinal({ kind }: Pick<Action, 'kind'>): boolean {
  return actionRules[kind].final;
}
