/**
 * Every reply the house gives, by name. Handlers never write reply literals. Codes: RFC 5321 §4.2.3; enhanced codes:
 * RFC 3463 and the IANA registry it started. 4xx = a local fault or "later"; 5xx = a judgement about the mail.
 */
import type { EnhancedCode } from './enhanced-code.js';
import type { Reply } from './reply.js';

function fixed(code: number, enhanced: EnhancedCode, text: string): Reply {
  return { code, enhanced, text };
}

/** 0 = not known. */
const tryAgain = (afterMs: number): string =>
  afterMs > 0 ? `try again in ${Math.ceil(afterMs / 1_000)} s` : 'try again later';

export const replies = {
  /** RFC 5321 §4.3.1 */
  greeting: (hostname: string, banner = 'ESMTP'): Reply => ({ code: 220, text: `${hostname} ${banner}` }),
  /** RFC 3207 §4 */
  readyForTls: fixed(220, '2.0.0', 'ready to start TLS'),
  /** RFC 5321 §4.1.1.10 */
  closing: fixed(221, '2.0.0', 'closing connection'),
  /** RFC 4954 §6 */
  authenticated: fixed(235, '2.7.0', 'authentication succeeded'),
  ok: fixed(250, '2.0.0', 'OK'),
  /** RFC 5321 §4.1.1.1: first line is the host, then one line per extension */
  hello: (hostname: string, extensions: readonly string[] = []): Reply => ({
    code: 250,
    text: [hostname, ...extensions],
  }),
  /** RFC 3463 §3.2 */
  senderOk: fixed(250, '2.1.0', 'sender OK'),
  recipientOk: fixed(250, '2.1.5', 'recipient OK'),
  /** RFC 5321 §4.1.1.4: said only after the durable write was acknowledged */
  queued: (queueId: string): Reply => fixed(250, '2.6.0', `queued as ${queueId}`),
  /** RFC 3030 §2 */
  chunkReceived: (octets: number): Reply => fixed(250, '2.0.0', `${octets} octets received`),
  /** RFC 5321 §3.5.3 */
  cannotVerify: fixed(252, '2.5.0', 'cannot VRFY user, but will take the message and attempt delivery'),
  /** RFC 4954 §4 */
  challenge: (base64: string): Reply => ({ code: 334, text: base64 }),
  /** RFC 5321 §4.1.1.4 */
  startData: { code: 354, text: 'end data with <CR><LF>.<CR><LF>' } satisfies Reply,

  /** RFC 5321 §3.8, RFC 3463 §3.4 */
  shuttingDown: fixed(421, '4.3.2', 'service shutting down, try again later'),
  notReady: fixed(421, '4.3.2', 'service not available, try again later'),
  /** RFC 3463 §3.4 */
  overloaded: fixed(421, '4.3.1', 'too busy now, try again later'),
  tooManyConnections: (what: string, retryAfterMs = 0): Reply =>
    fixed(421, '4.7.0', `${what}, ${tryAgain(retryAfterMs)}`),
  rateLimited: fixed(421, '4.7.0', 'too much traffic, try again later'),
  sessionMessages: (limit: number): Reply =>
    fixed(421, '4.7.0', `no more than ${limit} message${limit === 1 ? '' : 's'} a session, send the rest in another`),
  sessionFull: fixed(421, '4.7.0', 'this session has brought its share, send the rest in another'),
  tooManyErrors: fixed(421, '4.7.0', 'too many errors'),
  /** For a time: 4xx, since a ban ends. */
  banned: fixed(421, '4.7.0', 'your address is refused for a time, try again later'),
  /** To a client that sends its message though DATA was refused (RFC 2920 §3.1): its lines must never be read as commands. */
  sentWithoutLeave: fixed(421, '4.7.0', 'message sent without leave'),
  /** To a client that begins with TLS on a port that begins in plain. */
  tlsNotHere: fixed(421, '4.7.0', 'this port does not begin with TLS, use STARTTLS'),
  httpNotHere: fixed(421, '4.7.0', 'this is SMTP, not HTTP'),
  /** To a trusted proxy: what it sent is half of a header, or none that can be read. */
  proxyMalformed: fixed(421, '4.7.0', 'malformed PROXY header'),
  proxyMissing: fixed(421, '4.7.0', 'a PROXY header is expected here first'),
  proxyNotHere: fixed(421, '4.7.0', 'no PROXY header is expected here'),
  talksTooSoon: fixed(421, '4.7.0', 'client spoke before its turn'),
  /** RFC 5321 §4.5.3.2.7 */
  timeout: fixed(421, '4.4.2', 'timeout, closing connection'),
  /** RFC 5321 §4.2.2 */
  mailboxBusy: fixed(450, '4.2.1', 'mailbox unavailable, try again later'),
  greylisted: fixed(450, '4.7.1', 'greylisted, try again later'),
  /** RFC 3463 §3.8. `most`: the limit in words, with its interval and of whom. */
  overRate: (most: string, retryAfterMs: number): Reply =>
    fixed(450, '4.7.1', `no more than ${most}, ${tryAgain(retryAfterMs)}`),
  dnsTemporaryFailure: fixed(450, '4.4.3', 'DNS lookup failed for now, try again later'),
  /** RFC 3463 §3.4: other mail system fault, always ours, always temporary */
  localError: fixed(451, '4.3.0', 'local error, try again later'),
  policyUnavailable: fixed(451, '4.3.0', 'cannot decide now, try again later'),
  storeUnavailable: fixed(451, '4.3.0', 'cannot store the message now, try again later'),
  temporaryRejection: (text: string): Reply => fixed(451, '4.7.1', text),
  /** RFC 5321 §4.5.3.1.10 */
  tooManyRecipients: (most: string): Reply =>
    fixed(452, '4.5.3', `no more than ${most}, send to the rest in another message`),
  recipientApart: fixed(452, '4.5.3', 'send this recipient in a separate transaction'),
  /** RFC 3463 §3.4 */
  insufficientStorage: fixed(452, '4.3.1', 'insufficient storage, try again later'),
  /** RFC 3207 §4 */
  tlsNotAvailable: fixed(454, '4.7.0', 'TLS not available due to temporary reason'),
  /** RFC 4954 §6 */
  authTemporaryFailure: fixed(454, '4.7.0', 'temporary authentication failure'),

  /** RFC 5321 §4.2.4 */
  unknownCommand: fixed(500, '5.5.2', 'command not recognised'),
  /** RFC 5321 §4.5.3.1.4 */
  lineTooLong: fixed(500, '5.5.2', 'line too long'),
  /** RFC 4954 §6: this code is for lines of AUTH alone */
  authLineTooLong: fixed(500, '5.5.6', 'authentication exchange line too long'),
  bareNewlineCommand: fixed(500, '5.5.2', 'lines must end in CRLF'),
  syntaxError: fixed(501, '5.5.4', 'syntax error in parameters'),
  badParameter: (name: string): Reply => fixed(501, '5.5.4', `bad or repeated parameter ${name}`),
  badSenderSyntax: fixed(501, '5.1.7', 'malformed reverse-path'),
  badRecipientSyntax: fixed(501, '5.1.3', 'malformed forward-path'),
  authCancelled: fixed(501, '5.7.0', 'authentication cancelled'),
  authMalformed: fixed(501, '5.5.2', 'cannot decode response'),
  notImplemented: fixed(502, '5.5.1', 'command not implemented'),
  badSequence: fixed(503, '5.5.1', 'bad sequence of commands'),
  helloFirst: fixed(503, '5.5.1', 'send EHLO or HELO first'),
  needMail: fixed(503, '5.5.1', 'need MAIL first'),
  needRecipients: fixed(503, '5.5.1', 'no valid recipients'),
  nestedMail: fixed(503, '5.5.1', 'nested MAIL command'),
  alreadyTls: fixed(503, '5.5.1', 'TLS already active'),
  alreadyAuthenticated: fixed(503, '5.5.1', 'already authenticated'),
  pipeliningRefused: fixed(503, '5.5.1', 'command pipelined out of turn'),
  unknownMechanism: fixed(504, '5.5.4', 'unrecognised authentication mechanism'),
  /** RFC 4954 §6, RFC 3207 §4 */
  authRequired: fixed(530, '5.7.0', 'authentication required'),
  tlsRequired: fixed(530, '5.7.0', 'must issue a STARTTLS command first'),
  weakMechanism: fixed(534, '5.7.9', 'authentication mechanism is too weak'),
  badCredentials: fixed(535, '5.7.8', 'authentication credentials invalid'),
  encryptionRequired: fixed(538, '5.7.11', 'encryption required for requested authentication mechanism'),
  /** RFC 3463 §3.2 */
  mailboxUnknown: fixed(550, '5.1.1', 'no such mailbox here'),
  mailboxDisabled: fixed(550, '5.2.1', 'mailbox disabled'),
  senderDomainUnknown: fixed(550, '5.1.8', 'sender domain does not exist'),
  relayDenied: fixed(550, '5.7.1', 'relaying denied'),
  accessDenied: fixed(550, '5.7.1', 'access denied'),
  rejected: (text: string): Reply => fixed(550, '5.7.1', text),
  senderMismatch: fixed(550, '5.7.1', 'sender address does not belong to this login'),
  /** RFC 7372 §3 */
  spfFailed: fixed(550, '5.7.23', 'SPF validation failed'),
  dkimFailed: fixed(550, '5.7.20', 'no passing DKIM signature found'),
  multipleAuthFailed: fixed(550, '5.7.26', 'multiple authentication checks failed'),
  reverseDnsFailed: fixed(550, '5.7.25', 'reverse DNS validation failed'),
  /** RFC 7505 §4.2 */
  senderNullMx: fixed(550, '5.7.27', 'sender address has null MX'),
  /** RFC 8689 §4.1 */
  requireTlsNeeded: fixed(550, '5.7.30', 'REQUIRETLS support required'),
  mailboxFull: fixed(452, '4.2.2', 'mailbox full'),
  /** RFC 1870 §6.1 */
  tooBig: fixed(552, '5.3.4', 'message exceeds the maximum size'),
  /** One message alone is more than a limit over time ever lets through. */
  tooBigFor: (limit: number, what: string): Reply => fixed(552, '5.3.4', `message exceeds the ${limit} bytes ${what}`),
  /** RFC 6531 §3.5 */
  nonAsciiAddress: fixed(553, '5.6.7', 'non-ASCII address needs SMTPUTF8'),
  mailboxNameRefused: fixed(553, '5.1.3', 'mailbox name not allowed'),
  /** RFC 5321 §4.2.4 */
  transactionFailed: fixed(554, '5.5.0', 'transaction failed'),
  serviceRefused: fixed(554, '5.7.1', 'no SMTP service for this client'),
  /** RFC 3463 §3.7 */
  bareNewlineData: fixed(550, '5.6.11', 'message contains bare CR or LF'),
  nulInData: fixed(550, '5.6.0', 'message contains NUL'),
  textLineTooLong: (limit: number): Reply => fixed(550, '5.6.0', `message contains a line longer than ${limit} octets`),
  malformedMessage: fixed(554, '5.6.0', 'malformed message'),
  virusFound: fixed(554, '5.7.0', 'message contains malware'),
  spamRefused: fixed(554, '5.7.1', 'message looks like spam'),
  contentRefused: (text: string): Reply => fixed(554, '5.6.0', text),
  /** RFC 3463 §3.5 */
  routingLoop: fixed(554, '5.4.6', 'too many hops, routing loop'),
  /** RFC 5321 §4.1.1.11 */
  unknownParameter: (name: string): Reply => fixed(555, '5.5.4', `parameter ${name} not recognised`),
} as const;
