/** Log events of the edge: the names people search for. Every one that concerns a session is also a trace event. */
import { defineEvents } from '@postern/telemetry';

export const edgeEvents = defineEvents('edge', {
  'edge.session.opened': 'A connection was admitted and greeted.',
  'edge.session.refused': 'A connection was refused before the greeting; `reason` names the rule or limit.',
  'edge.session.closed': 'A session ended.',
  'edge.session.aborted':
    'We ended a session: too many errors, timeout, drain; `reason` says which, with the setting that was passed and its value, `command` what came last, `rule` whose limit it was.',
  'edge.session.forwarded':
    'A trusted filter said by XCLIENT who its client is; `peer` is the filter. A LOGIN that gives no right is `not_user`, `reason` says why.',
  'edge.listener.suspected':
    'The network in front of a listener is not as its settings say: `kind` unexpected_proxy, missing_proxy or source_nat; `peer` is who it was seen of.',
  'edge.tls.established': 'STARTTLS succeeded.',
  'edge.login.succeeded': 'A login was verified; `cached` when provisioning was away.',
  'edge.login.refused': 'A login was refused; the client heard 535.',
  'edge.login.unavailable':
    'A login could not be verified; the client heard 454, a filter that names it by XCLIENT 421.',
  'edge.kerberos.opened': 'Tickets are accepted with the keys of the keytab.',
  'edge.kerberos.hidden': 'GSSAPI is asked for and cannot be offered by this pod; `reason` says what is missing.',
  'edge.command.rejected': 'A command was refused or failed; `rule` where one says what is offered.',
  'edge.answer.delayed': 'The answer to an error comes late (tarpit); `delay_ms` says how late. A debug line, counted.',
  'edge.refusals.untold':
    'A session had more refused than log and trace are told of one; `command`, `sender`, `recipient`, `message`, `login`, `policy` say how many events of that kind were left out.',
  'edge.sender.rejected': 'MAIL was refused; `reason` says why, `rule` whose limit it was.',
  'edge.recipient.accepted': 'RCPT was accepted. A debug line, counted.',
  'edge.recipient.rejected': 'RCPT was refused; `reason` names the rule, check or right, `rule` whose limit it was.',
  'edge.message.accepted': 'A message is durably stored; 250 follows.',
  'edge.message.rejected': 'A message was refused after its data; `reason` says why, `rule` whose limit it was.',
  'edge.message.uncertain':
    'The client may send the message again although it is stored: `publish_unknown` = 451 without knowing whether SPOOL has it, `reply_lost` = the client was gone before its 250.',
  'edge.policy.bypassed': 'Policy did not answer; `outcome` says what happened to the mail.',
  'edge.rule.failed': 'A condition of a rule the session carries out could not be computed; the rule did not match.',
  'edge.rule.unfinished':
    'The time for rules of a session ran out; the rules left did not match. `reason` is the event.',
  'edge.proxy.refused':
    'A connection ended for its PROXY header; `client` is who sent it, `session_id` the id in its reply. In the trace where there was a reply.',
  'edge.policy.opened': 'The stream to a policy pod is open.',
  'edge.policy.lost': 'The stream to a policy pod ended; it is opened again.',
  'edge.stream.changed': 'The connection to NATS changed its state.',
  'edge.snapshot.applied': 'A snapshot is in use.',
  'edge.rules.stale': "The operator's rules of the snapshot cannot be used; those from before are.",
  'edge.networks.stale':
    'A list of networks of the snapshot holds one that cannot be read; the list from before is used. `reason` names it.',
  'edge.snapshot.refused': 'A snapshot was not taken; the old one stays.',
  'edge.limits.changed':
    'The limits are decided elsewhere than before: `state` is `joined` (over all pods, in Redis) or `local`.',
  'edge.client.banned': 'An address is banned for its errors; `kind` and `seconds` say why and for how long.',
  'edge.bans.changed': 'Whether the bans of the cluster can be read; while not, those known hold.',
  'edge.overload.changed':
    'Whom the process sheds changed; `shed` is nobody, strangers or everybody, `reason` what it has too much of.',
  'edge.listener.opened': 'A listener accepts connections.',
  'edge.listener.shut': 'A listener was switched off; its port is closed.',
  'edge.listener.refused': 'Settings of a listener cannot be carried out here; those before stay.',
  'edge.listener.unmatched': 'A name is only in the settings or only among the ports; `side` says where.',
  'edge.worker.started': 'A worker of this pod serves.',
  'edge.worker.ended':
    'A worker ended; `how` is its code or signal, `wanted` false when nobody told it to: another one is started.',
  'edge.worker.hung': 'A worker said nothing for half a minute; it is ended, and another one is started.',
  'edge.workers.resized': 'Another number of workers is wanted; `load` is what their event loops were busy on average.',
  'edge.tls.failed':
    'A TLS handshake came to nothing; `reason` says why. In the trace too, unless a client of a port that begins with TLS only closed the connection.',
  'edge.certificate.disregarded':
    'A client showed a certificate that is not valid where one is only asked for; it counts for nothing, `reason` says why.',
  'edge.certificate.replaced':
    'A changed certificate is in use: `certificate` is its name in the settings, `file` where it is, `listeners` who shows it, `expires` its end.',
  'edge.ticket_key.replaced': 'The file of `edge.ticketKeyFile` changed and is in use.',
  'edge.certificate.expiring':
    'A certificate in use is over or will be within two weeks; told at the start and when files change.',
  'edge.certificate.refused': 'Changed certificate files could not be used; the old ones stay.',
});

export type EdgeLogEvent = keyof typeof edgeEvents & string;
