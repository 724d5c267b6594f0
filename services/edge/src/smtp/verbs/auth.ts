/**
 * AUTH (RFC 4954 §4): only after EHLO, once, outside a transaction, with a mechanism that is offered on this connection. Failures are counted
 * per session. The credentials are verified elsewhere; not being able to ask is 454, never 535 (invariant 4).
 */

import { mechanismRefusal, refusingLimit } from '@postern/flow-control/session';
import { type Reply, replies, splitAddress } from '@postern/smtp-core';
import type { CredentialAnswer } from '../../credentials.js';
import { refusedLogin } from '../../login-judgement.js';
import { mechanisms } from '../../sasl/index.js';
import type { Challenge, SaslContext, SaslFault, SaslResult } from '../../sasl/mechanism.js';
import type { Dialogue } from '../dialogue.js';
import { mostFailedLogins } from '../session-bound.js';
import { offeredMechanisms } from './hello.js';
import type { Verb } from './index.js';

function barrier(dialogue: Dialogue, name: string): Reply | undefined {
  const { session } = dialogue;
  if (session.greeting === undefined) return replies.helloFirst;
  if (!session.greeting.esmtp || dialogue.transaction !== undefined) return replies.badSequence;
  if (session.login !== undefined) return replies.alreadyAuthenticated;
  const policy = dialogue.policy();
  if (policy === undefined) return replies.authTemporaryFailure;
  if (name === '') return replies.syntaxError;
  return mechanismRefusal(policy, session, name, offeredMechanisms(dialogue));
}

const unoffered: ReadonlySet<Reply> = new Set([
  replies.encryptionRequired,
  replies.notImplemented,
  replies.unknownMechanism,
]);

/** The rule that says what is offered on such a connection. */
function unofferedBy(dialogue: Dialogue, barred: Reply): string | undefined {
  const by = unoffered.has(barred) ? dialogue.policy()?.ruledBy : undefined;
  return dialogue.session.tls === undefined ? by?.plain : by?.tls;
}

/** Base64 of RFC 4648 §4 and nothing else; undefined where it is malformed. */
function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64');
}

const faults: Readonly<Record<SaslFault, Reply>> = {
  cancelled: replies.authCancelled,
  malformed: replies.authMalformed,
  tooLong: replies.authLineTooLong,
};

/** A session that ended in the midst of it has said nothing wrong, and nobody hears a reply. */
const refuseFault = (dialogue: Dialogue, fault: SaslFault, name: string): VerbReplies =>
  dialogue.wire.isClosed ? [] : dialogue.refuse(faults[fault], `AUTH ${name}`);

/** Whose user was tried, by the domain he was named with: that tenant sees it in its trace. Undefined = nobody's here. */
function tenantTried({ services }: Dialogue, username: string): { readonly tenant?: string } {
  const domain = splitAddress(username)?.domain.toLowerCase();
  const hosted = domain === undefined ? undefined : services.snapshot()?.domain(domain);
  return hosted === undefined ? {} : { tenant: hosted.tenant };
}

async function conclude(dialogue: Dialogue, name: string, result: SaslResult): Promise<VerbReplies> {
  const { session, services } = dialogue;
  if (!('username' in result)) return refuseFault(dialogue, result.kind, name);
  const { username } = result;
  const answer = await verified(dialogue, name, result);
  const detail = { mechanism: name, user: username };
  if (result.kind === 'exchanged' && result.finish !== undefined) {
    const response = await result.finish(answer);
    // What is wrong stays wrong and is counted, whatever the client says to it.
    if (answer.kind !== 'denied' && typeof response === 'string') return refuseFault(dialogue, response, name);
  }
  if (answer.kind === 'verified') {
    const login = { user: answer.user, tenant: answer.tenant, mechanism: name };
    const refused = await refusedLogin(session, services, login);
    if (refused !== undefined) {
      const told = { tenant: answer.tenant, reply: refused.reply, detail: { ...detail, reason: refused.reason } };
      const isFault = refused.reply === replies.authTemporaryFailure;
      services.journal.record(isFault ? 'edge.login.unavailable' : 'edge.login.refused', session, told);
      return refused.reply;
    }
    session.login = login;
    session.judged.auth = false;
    services.journal.record('edge.login.succeeded', session, {
      tenant: answer.tenant,
      detail: { ...detail, cached: String(answer.cached) },
    });
    return replies.authenticated;
  }
  if (answer.kind === 'unavailable') {
    const reply = replies.authTemporaryFailure;
    const { reason, limit } = answer;
    services.journal.record('edge.login.unavailable', session, {
      ...tenantTried(dialogue, username),
      reply,
      detail: { ...detail, reason },
      ...refusingLimit(limit),
    });
    return reply;
  }
  session.authFailures++;
  const tried = tenantTried(dialogue, username);
  // As if the password were right: from where nobody may log in nobody learns which one is.
  const barred = await refusedLogin(session, services, { user: username, tenant: tried.tenant ?? '', mechanism: name });
  const reply = barred?.reply ?? replies.badCredentials;
  services.journal.record('edge.login.refused', session, {
    ...tried,
    reply,
    detail: { ...detail, reason: answer.reason },
  });
  if (session.authFailures < mostFailedLogins(dialogue)) return reply;
  return [reply, dialogue.exceeds('failed_logins_per_session')];
}

function verified(
  dialogue: Dialogue,
  mechanism: string,
  result: Extract<SaslResult, { readonly username: string }>,
): CredentialAnswer | Promise<CredentialAnswer> {
  const { session, services } = dialogue;
  if (result.kind === 'refused') return { kind: 'denied', reason: result.reason };
  if (result.kind === 'unavailable') return result;
  const { username, parameters, channelBinding = none } = result;
  const { id: sessionId, clientAddress } = session;
  const isTrusted = services.abuse.isTrusted(session);
  const question = { mechanism, username, parameters, channelBinding, sessionId, clientAddress, isTrusted };
  return services.credentials.verify(question);
}

const none = Buffer.alloc(0);
const nonceBytes = 18;

/** What a mechanism may know of this connection. */
function contextOf(dialogue: Dialogue, name: string): SaslContext {
  const { services, session, wire } = dialogue;
  return {
    hostname: dialogue.policy()?.hostname ?? services.settings.podName,
    offersBinding: offeredMechanisms(dialogue).includes(`${name}-PLUS`),
    binding: (type) => wire.channelBinding(type),
    nonce: () => services.random.bytes(nonceBytes).toString('base64'),
    material: (username, mechanism) => services.credentials.material(username, mechanism, session.id),
    kerberos: services.kerberos,
  };
}

type VerbReplies = Reply | readonly Reply[];

export const auth: Verb = {
  idle: true,
  records: true,
  async run(dialogue, argument) {
    const [rawName = '', initial, ...more] = argument.trim().split(/ +/);
    const name = rawName.toUpperCase();
    const barred = barrier(dialogue, name);
    const said = /^[A-Z0-9_-]{1,20}$/.test(name) ? `AUTH ${name}` : 'AUTH';
    if (barred !== undefined) return dialogue.refuse(barred, said, unofferedBy(dialogue, barred));
    const mechanism = mechanisms.get(name);
    if (mechanism === undefined) return dialogue.refuse(replies.unknownMechanism, said);
    if (more.length > 0) return dialogue.refuse(replies.syntaxError, said);
    // RFC 4954 §4: `=` is an empty initial response.
    const first = initial === undefined ? undefined : initial === '=' ? Buffer.alloc(0) : decodeBase64(initial);
    if (initial !== undefined && first === undefined) return dialogue.refuse(replies.authMalformed, said);
    const challenge: Challenge = async (data) => {
      dialogue.wire.reply(replies.challenge(data.toString('base64')));
      dialogue.wire.flush();
      const answer = await dialogue.wire.readLine();
      if ('problem' in answer) return answer.problem === 'authLineTooLong' ? 'tooLong' : 'malformed';
      return answer.line === '*' ? 'cancelled' : (decodeBase64(answer.line) ?? 'malformed');
    };
    const result = await mechanism(first, challenge, contextOf(dialogue, name));
    return conclude(dialogue, name, result);
  },
};
