/**
 * A described session at each of its commands, as the edge would know it: what comes later is not known before. On a port that begins in plain a
 * session on TLS has said EHLO twice. The login's tenant is the one that holds its domain.
 */
import { PosternError } from '@postern/errors';
import {
  type ListenerRole,
  type SessionTerms,
  type SessionView,
  submittingTenant,
} from '@postern/flow-control/session';
import type { SessionFacts } from '@postern/proto/policy/v1/policy_service';
import { domainOf } from '../subject.js';

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

function roleOf(text: string): ListenerRole {
  if (text === 'submission' || text === 'submissions') return text;
  if (text === 'mx' || text === '') return 'mx';
  throw new PosternError(
    'invalid-argument',
    `listener role ${JSON.stringify(text)}; expected mx, submission, submissions`,
  );
}

export function describedSession(facts: SessionFacts, terms: SessionTerms): DescribedSession {
  const { origin } = facts;
  const role = roleOf(facts.listenerRole);
  const listener = { name: origin?.listener || role, role };
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
