/**
 * What holds for one session: the listener's settings as the rules of connection, greeting and login change them. Asked at every command, so
 * computed only when something it depends on has changed: snapshot, TLS, greeting, login, counters; never for the time alone. Without such rules it is the listener's own object.
 */
import type { Clock } from '@postern/clock';
import type { ListenerPolicy } from './listener-policy.js';
import { submittingTenant } from './relay-right.js';
import { sessionFacts } from './session-facts.js';
import { noRuling, type Ruling, rule, ruledLimit } from './session-ruling.js';
import type { SessionTerms } from './session-terms.js';
import type { SessionView } from './session-view.js';

interface Computed {
  readonly mark: readonly unknown[];
  readonly ruling: Ruling;
  readonly policy: ListenerPolicy;
}

const computed = new WeakMap<SessionView, Computed>();

function applied(base: ListenerPolicy, ruling: Ruling): ListenerPolicy {
  const hasAuth = base.extensions.has('AUTH');
  const plain = hasAuth ? ruling.mechanismsPlain : undefined;
  const tls = hasAuth ? ruling.mechanismsTls : undefined;
  const errors = ruledLimit(base.errorsPerSession, ruling, 'errors');
  return {
    ...base,
    banner: ruling.greeting ?? base.banner,
    mechanismsPlain: plain?.list ?? base.mechanismsPlain,
    mechanismsTls: tls?.list ?? base.mechanismsTls,
    requireTls: base.requireTls || ruling.requireTls !== undefined,
    ...(ruling.requireTls === undefined
      ? {}
      : {
          requireTlsText: ruling.requireTls.text,
          ...(base.requireTls ? {} : { requireTlsBy: ruling.requireTls.rule }),
        }),
    messageSize: ruledLimit(base.messageSize, ruling, 'size').value,
    recipients: ruledLimit(base.recipients, ruling, 'recipients').value,
    errorsPerSession: errors.value,
    ruledBy: { plain: plain?.rule, tls: tls?.rule, errors: errors.by?.rule },
  };
}

function compute(snapshot: SessionTerms, session: SessionView, clock: Clock): Computed {
  const base = snapshot.policyFor(session.listener, session.ipSet);
  const { tls, greeting, login, clientAddress, messages, errors } = session;
  const mark = [base, snapshot.rules, tls, greeting, login, clientAddress, messages, errors];
  const known = computed.get(session);
  if (known?.mark.every((part, index) => part === mark[index])) return known;
  const tenant = submittingTenant(snapshot, session) ?? '';
  const facts = sessionFacts(session, clock.now());
  const asker = { snapshot, session, clock };
  let ruling = rule(noRuling, asker, 'connect', tenant, facts);
  if (session.greeting !== undefined) ruling = rule(ruling, asker, 'ehlo', tenant, facts);
  if (session.login !== undefined) ruling = rule(ruling, asker, 'auth', tenant, facts);
  const made = { mark, ruling, policy: ruling === noRuling ? base : applied(base, ruling) };
  computed.set(session, made);
  return made;
}

export function ruledPolicy(snapshot: SessionTerms, session: SessionView, clock: Clock): ListenerPolicy {
  if (snapshot.rules.size === 0) return snapshot.policyFor(session.listener, session.ipSet);
  return compute(snapshot, session, clock).policy;
}

/** What later rules of the session begin with. */
export function sessionRuling(snapshot: SessionTerms, session: SessionView, clock: Clock): Ruling {
  return snapshot.rules.size === 0 ? noRuling : compute(snapshot, session, clock).ruling;
}
