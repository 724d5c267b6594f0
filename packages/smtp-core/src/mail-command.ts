/**
 * Arguments of MAIL FROM: path and parameters as one typed object. RFC 5321 §4.1.1.2, RFC 1870 §6, RFC 6152, RFC 3030,
 * RFC 6531 §3.4, RFC 3461 §4.3-4.4, RFC 4954 §5, RFC 8689 §2. A parameter of an extension that is not offered is
 * unknown (555); a malformed or repeated one is 501. Nothing of a refused command survives.
 */
import { parseAddress } from './address.js';
import { isAscii } from './domain.js';
import { SMTP_LIMITS } from './limits.js';
import { type Parameter, repeatedParameter, splitParameters } from './parameters.js';
import { type Path, scanPath } from './path.js';
import { replies } from './replies.js';
import type { Reply } from './reply.js';
import { decodeXtext } from './xtext.js';

export type BodyType = '7BIT' | '8BITMIME' | 'BINARYMIME';
export type MailParameterName = 'SIZE' | 'BODY' | 'SMTPUTF8' | 'RET' | 'ENVID' | 'AUTH' | 'REQUIRETLS';

export interface MailCommand {
  readonly reversePath: Path;
  /** Declared size in octets, or null. */
  readonly size: number | null;
  readonly body: BodyType;
  readonly smtputf8: boolean;
  readonly requireTls: boolean;
  readonly ret: 'FULL' | 'HDRS' | null;
  /** Decoded. */
  readonly envelopeId: string | null;
  /** AUTH=: null = not given, '' = `<>`. */
  readonly auth: string | null;
}

export interface CommandOptions<Name extends string> {
  /** Parameters of the extensions offered. Absent = all this parser knows. */
  readonly offered?: ReadonlySet<Name>;
  readonly lenient?: boolean;
}

export type MailCommandResult =
  | { readonly ok: true; readonly command: MailCommand }
  | { readonly ok: false; readonly reply: Reply };

type Draft = { -readonly [Key in keyof MailCommand]: MailCommand[Key] };

/** Each reader sets its part of the draft, or says false: malformed. */
const READERS: { readonly [Name in MailParameterName]: (value: string | null, draft: Draft) => boolean } = {
  SIZE: (value, draft) => {
    if (value === null || !/^\d{1,20}$/.test(value)) return false;
    draft.size = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    return true;
  },
  BODY: (value, draft) => {
    const body = value?.toUpperCase();
    if (body !== '7BIT' && body !== '8BITMIME' && body !== 'BINARYMIME') return false;
    draft.body = body;
    return true;
  },
  SMTPUTF8: (value, draft) => {
    draft.smtputf8 = value === null;
    return value === null;
  },
  REQUIRETLS: (value, draft) => {
    draft.requireTls = value === null;
    return value === null;
  },
  RET: (value, draft) => {
    const ret = value?.toUpperCase();
    if (ret !== 'FULL' && ret !== 'HDRS') return false;
    draft.ret = ret;
    return true;
  },
  ENVID: (value, draft) => {
    if (value === null || value.length > SMTP_LIMITS.envelopeId) return false;
    draft.envelopeId = decodeXtext(value);
    return draft.envelopeId !== null;
  },
  AUTH: (value, draft) => {
    const identity = value === null ? null : decodeXtext(value);
    if (identity === null) return false;
    if (identity === '<>') {
      draft.auth = '';
      return true;
    }
    draft.auth = identity;
    return parseAddress(identity, { smtputf8: true, lenient: true }).ok;
  },
};

function isMailParameter(name: string): name is MailParameterName {
  return Object.hasOwn(READERS, name);
}

/** Applies the parameters in order; the reply of the first that fails, or null. */
function applyParameters(
  parameters: readonly Parameter[],
  draft: Draft,
  offered: ReadonlySet<MailParameterName> | undefined,
): Reply | null {
  for (const { name, value } of parameters) {
    if (!isMailParameter(name) || offered?.has(name) === false) return replies.unknownParameter(name);
    if (!READERS[name](value, draft)) return replies.badParameter(name);
  }
  return null;
}

/** `text` is what stands behind `MAIL FROM:`. A space before the path is taken, as every large receiver does. */
export function parseMailCommand(text: string, options: CommandOptions<MailParameterName> = {}): MailCommandResult {
  const argument = text.trimStart();
  const lenient = options.lenient === true;
  const scanned = scanPath(argument, 0, { allowNull: true, smtputf8: true, lenient });
  if (!scanned.ok) return { ok: false, reply: replies.badSenderSyntax };
  const parameters = splitParameters(argument.slice(scanned.end));
  if (parameters === null) return { ok: false, reply: replies.syntaxError };
  const draft: Draft = {
    reversePath: scanned.path,
    size: null,
    body: '7BIT',
    smtputf8: false,
    requireTls: false,
    ret: null,
    envelopeId: null,
    auth: null,
  };
  const failed = applyParameters(parameters, draft, options.offered);
  if (failed !== null) return { ok: false, reply: failed };
  const repeated = repeatedParameter(parameters);
  if (repeated !== null) return { ok: false, reply: replies.badParameter(repeated) };
  // RFC 6531 §3.4: the parameter, not the address, says that the transaction is internationalised.
  if (!draft.smtputf8 && !isAscii(scanned.path.raw)) return { ok: false, reply: replies.nonAsciiAddress };
  return { ok: true, command: draft };
}
