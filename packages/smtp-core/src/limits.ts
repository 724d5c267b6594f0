/**
 * Sizes of the SMTP protocol, in octets unless said otherwise. RFC 5321 §4.5.3.1; line limits include the CRLF.
 * Minimums a server must take are used as maximums only where the RFC lets a server refuse what is longer.
 */
export const SMTP_LIMITS = {
  /** RFC 5321 §4.5.3.1.1 */
  localPart: 64,
  /** RFC 5321 §4.5.3.1.2 */
  domain: 255,
  /** RFC 1035 §2.3.4 */
  domainLabel: 63,
  /** RFC 5321 §4.5.3.1.3, with the angle brackets */
  path: 256,
  /** RFC 5321 §4.5.3.1.4, with the CRLF */
  commandLine: 512,
  /** MAIL grows by SIZE 26 (RFC 1870 §3), AUTH 500 (RFC 4954 §3), RET+ENVID 100+ (RFC 3461 §4), BODY 17, SMTPUTF8 10, REQUIRETLS 11. */
  mailCommandLine: 512 + 26 + 500 + 120 + 17 + 10 + 11,
  /** RCPT grows by NOTIFY and ORCPT: 500 + 28 (RFC 3461 §4), 10 for SMTPUTF8 (RFC 6531 §3.1). */
  rcptCommandLine: 512 + 538,
  /** RFC 4954 §4: AUTH lines of a SASL exchange */
  authLine: 12_288,
  /** RFC 5321 §4.5.3.1.5, with the CRLF */
  replyLine: 512,
  /** RFC 5321 §4.5.3.1.6, with the CRLF */
  textLine: 1000,
  /** RFC 5321 §4.5.3.1.8: a server must take at least this many recipients */
  recipients: 100,
  /** RFC 3461 §4.4: characters of ENVID before decoding */
  envelopeId: 100,
  /** RFC 3461 §4.2: characters of ORCPT before decoding */
  originalRecipient: 500,
  /** RFC 1870 §3: digits of SIZE */
  sizeDigits: 20,
} as const;

/** How long a client waits at each stage, in milliseconds. RFC 5321 §4.5.3.2. */
export const SMTP_CLIENT_TIMEOUTS = {
  greeting: 300_000,
  command: 300_000,
  mail: 300_000,
  rcpt: 300_000,
  dataInitiation: 120_000,
  dataBlock: 180_000,
  dataTermination: 600_000,
} as const;

/** How long a server waits for the next command. RFC 5321 §4.5.3.2.7. */
export const SMTP_SERVER_TIMEOUT = 300_000;
