/**
 * XCLIENT (Postfix XCLIENT_README, protocol version 2): a filter in front of us, named in the listener's settings, says who its client is. The session
 * begins anew for that client: access rules and limits are asked again, nothing judged before stands. To anybody else it is no command at all.
 * LOGIN counts where provisioning says that it could be used now; where it cannot be asked the session ends with 421.
 * Not believed: NAME, since policy looks up names itself; PROTO, since the EHLO that follows says it.
 */
import { type Reply, replies, splitAddress } from '@postern/smtp-core';
import type { Login } from '../../session.js';
import type { Dialogue } from '../dialogue.js';
import type { Opening } from '../place.js';
import type { Verb } from './index.js';
import { readAttributes } from './xclient-attributes.js';

type NamedLogin =
  | { readonly kind: 'login'; readonly login: Login }
  | { readonly kind: 'nobody'; readonly reason?: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/**
 * A login counts where it belongs to a domain that is hosted here and could be used now; whether it could has no fallback. A domain whose addresses are not
 * all known here (validateRecipients: false) has users only the filter knows.
 */
async function loginOf({ services, session }: Dialogue, user: string | undefined): Promise<NamedLogin> {
  const domain = user === undefined ? undefined : splitAddress(user)?.domain.toLowerCase();
  if (user === undefined) return { kind: 'nobody' };
  if (domain === undefined) return { kind: 'nobody', reason: 'is no address user@domain' };
  const hosted = services.snapshot()?.domain(domain);
  if (hosted === undefined) return { kind: 'nobody', reason: 'domain is not hosted here' };
  const standing = await services.credentials.standing(user, session.id);
  if (standing.kind === 'unavailable') return { kind: 'unknown', reason: standing.reason };
  const login = (name: string, tenant: string): NamedLogin => ({
    kind: 'login',
    login: { user: name, tenant, mechanism: 'XCLIENT' },
  });
  if (standing.kind === 'usable') return login(standing.user, standing.tenant);
  if (!standing.isKnown && !hosted.validateRecipients) return login(user, hosted.tenant);
  return { kind: 'nobody', reason: standing.reason };
}

function barrier({ session, transaction }: Dialogue, trusted: boolean): Reply | undefined {
  if (!trusted) return replies.unknownCommand;
  if (session.greeting === undefined) return replies.helloFirst;
  return transaction === undefined ? undefined : replies.badSequence;
}

/** As before a banner: code, enhanced code (RFC 2034 §4) and reason are those of a client that comes by itself, and the connection ends. */
function sendAway({ session, services, wire }: Dialogue, opening: Extract<Opening, { kind: 'refused' }>): undefined {
  const { reply, reason, limit } = opening;
  const limited = limit === undefined ? {} : { limit };
  services.journal.record('edge.session.refused', session, { reply, detail: { reason }, ...limited });
  wire.reply(reply);
  wire.close();
  return undefined;
}

export const xclient: Verb = {
  idle: true,
  async run(dialogue, argument) {
    const { session, services, wire } = dialogue;
    const policy = dialogue.policy();
    const refused = barrier(dialogue, policy?.trustsXclient(session.peerAddress) === true);
    if (refused !== undefined) return refused;
    const told = readAttributes(argument);
    if (told.kind === 'malformed')
      return told.attribute === '' ? replies.syntaxError : replies.badParameter(told.attribute);
    const { address, port, localAddress, localPort, greeting, login: named } = told.attributes;
    const found = await loginOf(dialogue, named);
    // The session ends: what follows would be judged as if the filter were the client.
    if (found.kind === 'unknown') {
      services.journal.record('edge.login.unavailable', session, {
        reply: replies.notReady,
        detail: { mechanism: 'XCLIENT', user: named ?? '', reason: found.reason },
      });
      wire.reply(replies.notReady);
      wire.close();
      return undefined;
    }
    session.clientAddress = address ?? session.clientAddress;
    session.clientPort = port ?? session.clientPort;
    session.localAddress = localAddress ?? session.localAddress;
    session.localPort = localPort ?? session.localPort;
    session.login = found.kind === 'login' ? found.login : undefined;
    session.forwardedGreeting = greeting;
    session.greeting = undefined;
    session.judged = { connect: false, ehlo: false, auth: false };
    session.findings = [];
    services.journal.record('edge.session.forwarded', session, {
      detail: {
        peer: session.peerAddress,
        ...(session.login === undefined ? {} : { user: session.login.user }),
        ...(found.kind === 'nobody' && found.reason !== undefined
          ? { not_user: named ?? '', reason: found.reason }
          : {}),
      },
    });
    const opening = await wire.readmit();
    if (opening.kind === 'refused') return sendAway(dialogue, opening);
    return replies.greeting(policy?.hostname ?? services.settings.podName, policy?.banner);
  },
};
