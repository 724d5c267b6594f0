/**
 * From what the user wrote in `then` to typed actions. One entry is a word (`accept`) or an object with one key
 * (`{ reject: { text: ... } }`). Each kind says at which events it can act, whether a tenant may use it without the
 * operator's leave (nothing that opens or loosens), and whether it ends the rule set.
 */
import { type Action, type ActionKind, type Clientele, permittableActions, type RouteAction } from './action.js';
import { actionDoc, actionKinds, usageOf } from './action-fields.js';
import { actionEvents } from './carried-out.js';
import { isKnownAt, type RuleEvent } from './event.js';
import { type FieldProblem, Fields, isPlainObject } from './fields.js';
import { nearest } from './problem.js';
import { isStructuredField } from './structured-field.js';

interface ActionRule {
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

const mechanisms = [
  'PLAIN',
  'LOGIN',
  'CRAM-MD5',
  'DIGEST-MD5',
  'SCRAM-SHA-256',
  'SCRAM-SHA-256-PLUS',
  'OAUTHBEARER',
  'XOAUTH2',
  'GSSAPI',
] as const;
const clienteles: readonly [Clientele, ...Clientele[]] = ['none', 'authenticated', 'all'];
const checkName = (fields: Fields): string => fields.text('check', undefined, 64);
const MONTH_SECONDS = 2_678_400;
const MAX_BYTES = 2 ** 40;

/** RFC 3463: the class of the enhanced code is that of the reply code. */
function reply(kind: 'reject' | 'tempfail', fields: Fields): Action {
  const permanent = kind === 'reject';
  const code = fields.integer('code', permanent ? [500, 599] : [400, 499], permanent ? 550 : 451);
  const enhanced = fields.text('enhanced', permanent ? '5.7.1' : '4.7.1', 11);
  if (!/^[245]\.\d{1,3}\.\d{1,3}$/.test(enhanced) || enhanced[0] !== String(code)[0])
    fields.fail('enhanced', 'is not an enhanced status code of the class of the reply', permanent ? '5.7.1' : '4.7.1');
  return { kind, code, enhanced, text: fields.text('text', permanent ? 'Refused by a rule' : 'Try again later') };
}

const hopName = (fields: Fields, field: string): string | undefined =>
  fields.has(field) ? fields.text(field, undefined, 128) : undefined;

function nextOf(fields: Fields): RouteAction['next'] {
  const name = hopName(fields, 'to');
  if (fields.has('to') && fields.has('host')) fields.fail('host', 'is given beside to', 'one of the two');
  if (!fields.has('host')) {
    for (const field of ['port', 'login'])
      if (fields.has(field)) fields.fail(field, 'needs host', 'a next hop of the configuration has its own');
    return name === undefined ? { kind: 'unchanged' } : { kind: 'named', name };
  }
  const host = fields.host('host');
  return { kind: 'host', host, port: fields.integer('port', [1, 65_535], 25), login: hopName(fields, 'login') };
}

function route(fields: Fields): Action {
  const tls = fields.has('tls')
    ? fields.oneOf('tls', ['none', 'opportunistic', 'required', 'verified', 'implicit'])
    : undefined;
  const tlsVersions = fields.someOf('tlsVersions', ['TLSv1.2', 'TLSv1.3']);
  if (tls === 'none' && tlsVersions.length > 0)
    fields.fail('tlsVersions', 'names versions of what is switched off', 'another tls, or no versions');
  const pool = fields.has('egressPool') ? fields.text('egressPool', undefined, 64) : undefined;
  if (pool !== undefined && !/^[A-Za-z0-9_-]*$/.test(pool))
    fields.fail('egressPool', 'is not the name of a pool', 'letters, digits, - and _');
  const made: RouteAction = {
    ...{ kind: 'route', next: nextOf(fields), tls, tlsVersions },
    sourceAddress: fields.ip('sourceAddress'),
    helo: fields.has('helo') ? fields.host('helo') : undefined,
    egressPool: pool,
  };
  const { next, sourceAddress, helo } = made;
  const says = [tls, sourceAddress, helo, pool].some((value) => value !== undefined) || tlsVersions.length > 0;
  if (next.kind === 'unchanged' && !says)
    fields.fail('', 'says nothing', 'to, host, tls, tlsVersions, sourceAddress, helo or egressPool');
  return made;
}

function header(kind: 'addHeader' | 'addHeaderIfAbsent', fields: Fields): Action {
  return { kind, name: fields.headerName('name'), value: fields.text('value', undefined, 900) };
}

/** A new value, or words around the old one; these only where it is text for people. */
function changedHeader(fields: Fields): Action {
  const name = fields.headerName('name');
  const words = (field: string): string => {
    if (!fields.has(field)) return '';
    const text = fields.text(field, undefined, 200);
    if (text !== '' && text.trim() === '') fields.fail(field, 'has no words', 'such as "[EXTERNAL] "');
    return text;
  };
  const [prefix, suffix] = [words('prefix'), words('suffix')];
  const isAround = fields.has('prefix') || fields.has('suffix');
  if (isAround && fields.has('value')) fields.fail('value', 'is given beside prefix or suffix', 'one of the two');
  if (isAround && isStructuredField(name))
    fields.fail('name', `${name} is no text that words could be put to`, 'a field such as Subject, or value');
  const value = isAround ? '' : fields.text('value', undefined, 900);
  return { kind: 'changeHeader', name, value, prefix, suffix };
}

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
    parse: (fields) => {
      if (!(fields.has('size') || fields.has('recipients') || fields.has('errors')))
        fields.fail('', 'names no limit', 'size, recipients or errors');
      const size = fields.optionalBytes('size', MAX_BYTES);
      const recipients = fields.optionalInteger('recipients', [0, 100_000]);
      return { kind: 'setLimit', size, recipients, errors: fields.optionalInteger('errors', [0, 100_000]) };
    },
  },
  auth: {
    events: before('ehlo'),
    tenant: false,
    final: false,
    parse: (fields) => {
      if (!(fields.has('plain') || fields.has('tls')))
        fields.fail('', 'names no kind of connection', 'plain or tls with a list of mechanisms');
      return {
        kind: 'auth',
        plain: fields.has('plain') ? fields.someOf('plain', mechanisms) : undefined,
        tls: fields.has('tls') ? fields.someOf('tls', mechanisms) : undefined,
      };
    },
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
  route: { events: (event) => event === 'relay', tenant: false, final: false, parse: route },
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
    parse: (fields) => ({
      kind: 'retrySchedule',
      delays: fields.integers('delays', [1, MONTH_SECONDS], 50),
      giveUpAfter: fields.optionalInteger('giveUpAfter', [0, MONTH_SECONDS]),
    }),
  },
};

const rulesByName: ReadonlyMap<string, ActionRule> = new Map(Object.entries(actionRules));

export interface ActionScope {
  readonly event: RuleEvent;
  readonly tenant: boolean;
  /** Kinds the operator lets this tenant use although they loosen. */
  readonly permitted: ReadonlySet<ActionKind>;
}

export type ParsedAction =
  | { readonly ok: true; readonly action: Action }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/** Without the operator's leave. */
export const isOpenToTenants = (kind: ActionKind): boolean => actionRules[kind].tenant;

export function isFinal({ kind }: Pick<Action, 'kind'>): boolean {
  return actionRules[kind].final;
}

export function parseAction(written: unknown, scope: ActionScope): ParsedAction {
  const named = namedBody(written);
  if ('problem' in named) return { ok: false, problems: [named.problem] };
  const { name, rule, body } = named;
  const fields = new Fields(body);
  const action = rule.parse(fields);
  fields.done();
  if (!rule.events(scope.event))
    fields.fail('', `cannot act at ${scope.event}`, `move the rule to ${eventsOf(action.kind)}`);
  if (scope.tenant && !rule.tenant && !scope.permitted.has(action.kind))
    fields.fail('', 'is not open to a tenant', wayOpen(action.kind));
  return fields.problems.length > 0 ? { ok: false, problems: fields.problems.map(inside(name)) } : { ok: true, action };
}

/** Where the operator can open it, and where nobody can. */
const wayOpen = (kind: ActionKind): string =>
  permittableActions.some((open) => open === kind)
    ? 'ask the operator to name it in ruleActions of the tenant'
    : 'leave it to rules of the operator: it cannot be opened to tenants';

/** Those of the language that this release carries out. */
const eventsOf = (kind: ActionKind): string => actionEvents(kind).join(', ');

type NamedBody =
  | { readonly name: string; readonly rule: ActionRule; readonly body: Readonly<Record<string, unknown>> }
  | { readonly problem: FieldProblem };

const entryForm = 'write a word such as dropRecipient, or an object with one key such as tag: { name: large }';

/** One entry of `then`: a word, or an object with one key. */
function namedBody(written: unknown): NamedBody {
  const wrong = (message: string, hint: string): NamedBody => ({ problem: { field: '', message, hint } });
  if (typeof written !== 'string' && !isPlainObject(written)) return wrong('is not an action', entryForm);
  const keys = typeof written === 'string' ? [written] : Object.keys(written);
  const [name] = keys;
  if (name === undefined) return wrong('names no action', entryForm);
  if (keys.length > 1) {
    const other = actionKinds.includes(keys[1] ?? '') ? 'write an entry of the list for each' : usageHint(name);
    return wrong(`has more than one key: ${keys.slice(0, 5).join(', ')}`, other);
  }
  const rule = rulesByName.get(name);
  if (rule === undefined) return wrong(`"${name}" is not an action`, nameHint(name));
  const body = typeof written === 'string' ? {} : (written[name] ?? {});
  if (isPlainObject(body)) return { name, rule, body };
  const given = typeof body === 'string' || typeof body === 'number' ? body : undefined;
  const told = given === undefined ? 'a list' : JSON.stringify(given);
  return wrong(`${name} takes fields, not ${told}`, usageHint(name, given));
}

function usageHint(name: string, given?: string | number): string {
  const known = actionDoc(name)?.fields.map((field) => field.name) ?? [];
  return known.length === 0
    ? `write ${usageOf(name)}`
    : `write ${usageOf(name, given)}; its fields: ${known.join(', ')}`;
}

function nameHint(name: string): string {
  const near = nearest(name, actionKinds);
  return near === undefined ? `use one of ${actionKinds.join(', ')}` : `did you mean ${near}?`;
}

function inside(name: string) {
  return (problem: FieldProblem): FieldProblem => ({
    ...problem,
    field: problem.field === '' ? '' : `.${name}.${problem.field}`,
    message: problem.field === '' ? `${name} ${problem.message}` : problem.message,
  });
}
