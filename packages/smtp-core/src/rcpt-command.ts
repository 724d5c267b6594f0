/**
 * Arguments of RCPT TO: path, NOTIFY and ORCPT. RFC 5321 §4.1.1.3, RFC 3461 §4.1-4.2, RFC 6533 §3.
 * Answers as in mail-command.ts. Whether the recipient exists is not asked here.
 */
import { isAscii } from './domain.js';
import { SMTP_LIMITS } from './limits.js';
import type { CommandOptions } from './mail-command.js';
import { repeatedParameter, splitParameters } from './parameters.js';
import { type Path, scanPath } from './path.js';
import { replies } from './replies.js';
import type { Reply } from './reply.js';
import { decodeUtf8AddressXtext, decodeXtext } from './xtext.js';

export type RcptParameterName = 'NOTIFY' | 'ORCPT';
export type NotifyEvent = 'SUCCESS' | 'FAILURE' | 'DELAY';

/** `[]` = NEVER. */
export type Notify = readonly NotifyEvent[];

export interface OriginalRecipient {
  /** Lower case: `rfc822`, `utf-8`, or another registered type. */
  readonly addressType: string;
  /** Decoded. */
  readonly address: string;
  /** As sent, fit to be passed on: `rfc822;user@example.com`. */
  readonly raw: string;
}

export interface RcptCommand {
  readonly forwardPath: Path;
  /** Null = not given, which means FAILURE and perhaps DELAY (RFC 3461 §4.1). */
  readonly notify: Notify | null;
  readonly originalRecipient: OriginalRecipient | null;
}

export interface RcptCommandOptions extends CommandOptions<RcptParameterName> {
  /** The MAIL of this transaction carried SMTPUTF8. */
  readonly smtputf8?: boolean;
}

export type RcptCommandResult =
  | { readonly ok: true; readonly command: RcptCommand }
  | { readonly ok: false; readonly reply: Reply };

function isNotifyEvent(word: string): word is NotifyEvent {
  return word === 'SUCCESS' || word === 'FAILURE' || word === 'DELAY';
}

/** NOTIFY value, or null where malformed. NEVER stands alone; no event stands twice. */
export function parseNotify(value: string): Notify | null {
  const words = value.toUpperCase().split(',', 4);
  if (words.length === 1 && words[0] === 'NEVER') return [];
  const events = words.filter(isNotifyEvent);
  return events.length === words.length && new Set(events).size === events.length ? events : null;
}

/** ORCPT value, or null where malformed. */
export function parseOriginalRecipient(value: string): OriginalRecipient | null {
  if (value.length > SMTP_LIMITS.originalRecipient) return null;
  const match = /^([A-Za-z0-9][A-Za-z0-9-]*);(.+)$/s.exec(value);
  const [, type, encoded] = match ?? [];
  if (type === undefined || encoded === undefined) return null;
  const addressType = type.toLowerCase();
  const address = addressType === 'utf-8' ? decodeUtf8AddressXtext(encoded) : decodeXtext(encoded);
  return address === null ? null : { addressType, address, raw: value };
}

/** `text` is what stands behind `RCPT TO:`. */
export function parseRcptCommand(text: string, options: RcptCommandOptions = {}): RcptCommandResult {
  const argument = text.trimStart();
  const lenient = options.lenient === true;
  const scanned = scanPath(argument, 0, { allowPostmaster: true, smtputf8: true, lenient });
  if (!scanned.ok) return { ok: false, reply: replies.badRecipientSyntax };
  const parameters = splitParameters(argument.slice(scanned.end));
  if (parameters === null) return { ok: false, reply: replies.syntaxError };
  let notify: Notify | null = null;
  let originalRecipient: OriginalRecipient | null = null;
  for (const { name, value } of parameters) {
    if ((name !== 'NOTIFY' && name !== 'ORCPT') || options.offered?.has(name) === false) {
      return { ok: false, reply: replies.unknownParameter(name) };
    }
    const bad = { ok: false, reply: replies.badParameter(name) } as const;
    if (value === null) return bad;
    if (name === 'NOTIFY') {
      notify = parseNotify(value);
      if (notify === null) return bad;
    } else {
      originalRecipient = parseOriginalRecipient(value);
      // RFC 6533 §3: UTF-8 octets only where the transaction is internationalised.
      if (originalRecipient === null || (options.smtputf8 !== true && !isAscii(value))) return bad;
    }
  }
  const repeated = repeatedParameter(parameters);
  if (repeated !== null) return { ok: false, reply: replies.badParameter(repeated) };
  if (options.smtputf8 !== true && !isAscii(scanned.path.raw)) return { ok: false, reply: replies.nonAsciiAddress };
  return { ok: true, command: { forwardPath: scanned.path, notify, originalRecipient } };
}
