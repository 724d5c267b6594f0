/**
 * A described session at each of its commands, as the edge would know it: what comes later is not known before. On a port that begins in plain a
 * session on TLS has said EHLO twice. The login's tenant is the one that holds its domain.
 */
import { PosternError } from '@postern/errors';
import {
  type ListenerPolicy,
  type ListenerRole,
  type SessionTerms,
  type SessionView,
  submittingTenant,
} from '@postern/flow-control/session';
import type { SessionFacts } from '@postern/proto/policy/v1/policy_service';
import { domainOf } from '../subject.js';

const listenerRolesKnown: readonly ListenerRole[] = ['mx', 'submission', 'submissions'];

export interface DescribedSession {
  readonly connected: SessionView;
  /** Greetings in order; the last one holds. */
  readonly greeted: readonly [SessionView, ...SessionView[]];
  /** The same as greeted without a login. */
  readonly ready: SessionView;
  readonly hasLogin: boolean;
  /** What policy is told. */
  readonly facts: SessionFacts;
}

const refused = (what: string): PosternError => new PosternError('invalid-argument', what);

/** Where no role is said it is that of the listener's settings. */
function roleOf({ listenerRole: said, origin }: SessionFacts, { listenerRoles }: SessionTerms): ListenerRole {
  const isRole = (text: string): text is ListenerRole => listenerRolesKnown.some((role) => role === text);
  if (isRole(said)) return said;
  if (said !== '') throw refused(`listener role ${JSON.stringify(said)}; expected ${listenerRolesKnown.join(', ')}`);
  const name = origin?.listener || 'mx';
  const role = listenerRoles.get(name) ?? (isRole(name) ? name : undefined);
  if (role !== undefined) return role;
  const names = new Set([...listenerRolesKnown, ...listenerRoles.keys()]);
  throw refused(`listener: ${JSON.stringify(name)} is not allowed; expected one of ${[...names].join(', ')}`);
}

/** What the listener makes of the client's certificate: it asks for none, or verifies it where it knows authorities. */
function certificateOf({ clientCertificate, origin }: SessionFacts, policy: ListenerPolicy, name: string) {
  if (clientCertificate === undefined) return {};
  const { clientCertificates = 'none', clientCa = '' } = policy.tls ?? {};
  if (clientCertificates !== 'request' && clientCertificates !== 'require')
    throw refused(
      `client certificate: listener ${name} asks for none; expected tls.clientCertificates: request or require in its settings`,
    );
  if (origin === undefined || origin.tlsVersion === '') throw refused('client certificate: is shown on TLS only');
  return { clientCertificate: { ...clientCertificate, verified: clientCertificate.verified && clientCa !== '' } };
}

/** Nothing is said in plain on a port that begins with TLS. */
function onTls(origin: SessionFacts['origin'], role: ListenerRole): SessionFacts['origin'] {
  if (origin === undefined || role !== 'submissions' || origin.tlsVersion !== '') return origin;
  return { ...origin, tlsVersion: 'TLSv1.3', withProtocol: origin.withProtocol.replace(/^ESMTP(?=A?$)/, 'ESMTPS') };
}

export function describedSession(told: SessionFacts, terms: SessionTerms): DescribedSession {
  const role = roleOf(told, terms);
  const listener = { name: told.origin?.listener || role, role };
  const origin = onTls(told.origin, role);
  const shown = certificateOf({ ...told, origin }, terms.listener(listener), listener.name);
  const facts = { ...told, ...shown, origin };
  const clientAddress = origin?.clientAddress ?? '';
  const user = origin?.authenticatedUser ?? '';
  const tls =
    origin === undefined || origin.tlsVersion === ''
      ? undefined
      : {
          version: origin.tlsVersion,
          cipher: origin.tlsCipher,
          ...(facts.clientCertificate === undefined ? {} : { clientCertificate: facts.clientCertificate }),
        };
  const connected: SessionView = {
    listener,
    clientAddress,
    clientPort: origin?.clientPort ?? 0,
    localAddress: facts.localAddress,
    localPort: facts.localPort,
    addressSuspected: facts.addressSuspected,
    ipSet: terms.ipSet(listener, clientAddress, facts.addressSuspected)?.name,
    proxyAuthority: facts.proxyAuthority === '' ? undefined : facts.proxyAuthority,
    greeting: undefined,
    tls: role === 'submissions' ? tls : undefined,
    login: undefined,
    messages: facts.sessionMessages,
    bytes: facts.sessionBytes,
    errors: facts.sessionErrors,
  };
  const greeting = { name: origin?.helo ?? '', esmtp: facts.esmtp };
  const last: SessionView = { ...connected, greeting, tls };
  const tenant = terms.domain(domainOf(user))?.tenant ?? facts.submittingTenant;
  const login = user === '' ? undefined : { user, tenant, mechanism: facts.authMechanism };
  const ready = { ...last, login };
  const submitter = submittingTenant(terms, ready);
  return {
    connected,
    greeted: tls !== undefined && role !== 'submissions' ? [{ ...connected, greeting }, last] : [last],
    ready,
    hasLogin: login !== undefined,
    facts: {
      ...facts,
      findings: [],
      recipients: [],
      listenerRole: role,
      submittingTenant: submitter ?? '',
      relayRight: submitter !== undefined,
      skipChecks: [...terms.policyFor(listener, connected.ipSet).skipChecks],
    },
  };
}
