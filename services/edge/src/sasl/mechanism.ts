/**
 * The server side of a SASL mechanism as one function: it gets the initial response, if any, and a way to challenge; it gives what is to be
 * verified. It verifies nothing itself and holds no secret longer than the call.
 */
export type SaslResponse = Buffer | 'cancelled' | 'malformed';

export type SaslResult =
  | {
      readonly kind: 'exchanged';
      readonly username: string;
      readonly parameters: Readonly<Record<string, Buffer>>;
    }
  /** Well formed, but can be right for nobody. */
  | {
      readonly kind: 'refused';
      readonly username: string;
      readonly parameters: Readonly<Record<string, Buffer>>;
      readonly reason: string;
    }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'malformed' };

export type Challenge = (data: Buffer) => Promise<SaslResponse>;

export type Mechanism = (initial: Buffer | undefined, challenge: Challenge) => Promise<SaslResult>;

/** Octets of a name or password that are looked at. */
export const maxCredentialLength = 1_024;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A login as typed: UTF-8 without control characters; undefined where it is none. */
export function readUsername(octets: Buffer): string | undefined {
  if (octets.length === 0 || octets.length > maxCredentialLength) return undefined;
  try {
    const text = utf8.decode(octets);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    return /[\x00-\x1f\x7f-\x9f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
