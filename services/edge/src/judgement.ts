/** What policy is told of a session and its transaction. Pure. */

import { transmissionType } from '@postern/mail-message';
import { BodyType, DsnReturn, type MailParameters, type Origin } from '@postern/proto/mail/v1/envelope';
import type { RecipientFacts, SessionFacts } from '@postern/proto/policy/v1/policy_service';
import type { MailCommand } from '@postern/smtp-core';
import type { Session } from './session.js';

const bodyTypes = {
  '7BIT': BodyType.BODY_TYPE_7BIT,
  '8BITMIME': BodyType.BODY_TYPE_8BITMIME,
  BINARYMIME: BodyType.BODY_TYPE_BINARYMIME,
} as const;

const returns = { FULL: DsnReturn.FULL, HDRS: DsnReturn.HDRS } as const;

export function mailParameters(mail: MailCommand): MailParameters {
  return {
    bodyType: bodyTypes[mail.body],
    smtputf8: mail.smtputf8,
    requireTls: mail.requireTls,
    dsnReturn: mail.ret === null ? DsnReturn.UNSPECIFIED : returns[mail.ret],
    envid: mail.envelopeId ?? '',
  };
}

export function originOf(session: Session, smtputf8: boolean, podName: string): Origin {
  return {
    clientAddress: session.clientAddress,
    clientPort: session.clientPort,
    helo: session.greeting?.name ?? '',
    listener: session.listener.name,
    withProtocol: transmissionType({
      protocol: session.greeting?.esmtp === true ? 'esmtp' : 'smtp',
      tls: session.tls !== undefined,
      authenticated: session.login !== undefined,
      smtputf8,
    }),
    tlsVersion: session.tls?.version ?? '',
    tlsCipher: session.tls?.cipher ?? '',
    authenticatedUser: session.login?.user ?? '',
    edge: podName,
  };
}

export interface FactSources {
  readonly session: Session;
  readonly podName: string;
  readonly submittingTenant: string | undefined;
  readonly mail: MailCommand;
  readonly queueId: string;
  readonly recipients: RecipientFacts[];
  readonly carried: Pick<SessionFacts, 'findings' | 'sharedFindings'>;
  /** Of the client's IP set. */
  readonly skipChecks: readonly string[];
}

export function sessionFacts(sources: FactSources): SessionFacts {
  const { session, mail } = sources;
  return {
    origin: originOf(session, mail.smtputf8, sources.podName),
    listenerRole: session.listener.role,
    esmtp: session.greeting?.esmtp === true,
    submittingTenant: sources.submittingTenant ?? '',
    reversePath: mail.reversePath.address,
    hasReversePath: true,
    declaredSize: mail.size ?? 0,
    recipients: sources.recipients,
    sessionMessages: session.messages,
    sessionBytes: session.bytes,
    sessionErrors: session.errors,
    localAddress: session.localAddress,
    localPort: session.localPort,
    authMechanism: session.login?.mechanism ?? '',
    relayRight: sources.submittingTenant !== undefined,
    parameters: mailParameters(mail),
    queueId: sources.queueId,
    ...sources.carried,
    addressSuspected: session.addressSuspected,
    clientCertificate: session.tls?.clientCertificate,
    proxyAuthority: session.proxyAuthority ?? '',
    skipChecks: [...sources.skipChecks],
    othersBefore: [],
  };
}
