/**
 * Facts of one SMTP session, and the services a session uses. Everything learned before STARTTLS is forgotten after it (RFC 3207 §4.2)
 * except who connected where. Counters are of the whole session: a new EHLO does not forgive.
 */
import type { Clock, Random, UlidSource } from '@postern/clock';
import type { Greeting, ListenerFacts, Login, SessionView, TlsFacts } from '@postern/flow-control/session';
import { type Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import type { AbuseControl } from './abuse/abuse-control.js';
import type { CredentialPort } from './credentials.js';
import type { Journal } from './journal.js';
import type { MessageLimits } from './message-limits.js';
import type { PolicyPort } from './policy-port.js';
import type { KerberosAcceptor } from './sasl/gssapi/acceptor.js';
import type { SessionSettings } from './session-settings.js';
import type { CompiledSnapshot } from './snapshot/compile.js';
import type { Spool } from './spool.js';

export type { ListenerFacts, ListenerRole, Login, TlsFacts } from '@postern/flow-control/session';

export interface Session extends SessionView {
  readonly id: string;
  readonly listener: ListenerFacts;
  /** Who connected, PROXY applied. */
  readonly peerAddress: string;
  /** Whose mail it is: the peer, or who it says by XCLIENT. */
  clientAddress: string;
  clientPort: number;
  localAddress: string;
  localPort: number;
  /** The peer's address seems to stand for many clients (source NAT): a network it is in gives it no right. */
  addressSuspected: boolean;
  /** Named set the client is in. */
  ipSet: string | undefined;
  /** Greeting of the client a filter speaks for; stands for what the filter says in its own EHLO. */
  forwardedGreeting: string | undefined;
  readonly startedAtMs: number;
  /** Host name the client asked a TLS proxy in front of us for. */
  readonly proxyAuthority?: string;
  /** W3C traceparent of the session. */
  readonly traceparent: string;
  greeting: Greeting | undefined;
  tls: TlsFacts | undefined;
  login: Login | undefined;
  /** Messages accepted. */
  messages: number;
  /** Their bytes. */
  bytes: number;
  /** Commands and recipients refused for good. */
  errors: number;
  authFailures: number;
  /** What was put off since the last accepted message: a recipient counts once, another command ten times. */
  deferrals: number;
  /** Commands since the last accepted message that moved no mail. */
  idleCommands: number;
  /** Policy requests made; with the id it makes each idempotent. */
  sequence: number;
  /** Policy has judged the connection, the greeting, the login. */
  judged: { connect: boolean; ehlo: boolean; auth: boolean };
  /** What policy found about the connection, the greeting and the login: told with every transaction, since each is judged once a session. */
  findings: readonly Finding[];
}

/** Who comes where: all that is known before a session begins. */
export type ClientFacts = Pick<Session, 'listener' | 'clientAddress'>;

/** What a session asks of the rest of the process. */
export interface SessionServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: UlidSource;
  readonly settings: SessionSettings;
  /** Undefined until the first snapshot came. */
  snapshot(): CompiledSnapshot | undefined;
  readonly policy: PolicyPort;
  readonly spool: Spool;
  readonly credentials: CredentialPort;
  /** Undefined = this pod accepts no tickets. */
  readonly kerberos?: KerberosAcceptor | undefined;
  readonly messageLimits: MessageLimits;
  readonly abuse: AbuseControl;
  readonly journal: Journal;
  readonly isDraining: () => boolean;
  /** Undefined = take mail of such a client; else why not now. */
  readonly overload: (isTrusted: boolean) => string | undefined;
}

export type SessionStart = Pick<Session, 'proxyAuthority'> &
  Pick<
    Session,
    | 'id'
    | 'listener'
    | 'clientAddress'
    | 'clientPort'
    | 'localAddress'
    | 'localPort'
    | 'startedAtMs'
    | 'traceparent'
    | 'tls'
  >;

export function openSession(start: SessionStart): Session {
  return {
    ...start,
    peerAddress: start.clientAddress,
    addressSuspected: false,
    ipSet: undefined,
    forwardedGreeting: undefined,
    greeting: undefined,
    login: undefined,
    messages: 0,
    bytes: 0,
    errors: 0,
    authFailures: 0,
    deferrals: 0,
    idleCommands: 0,
    sequence: 0,
    judged: { connect: false, ehlo: false, auth: false },
    findings: [],
  };
}

/** RFC 3207 §4.2: what the client said in plain is forgotten. */
export function forgetPlain(session: Session, tls: TlsFacts): void {
  session.tls = tls;
  session.greeting = undefined;
  session.login = undefined;
  session.judged.ehlo = false;
  session.judged.auth = false;
  session.findings = session.findings.filter(({ stage }) => stage === Stage.CONNECT);
}
