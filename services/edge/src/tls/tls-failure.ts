/** Why a handshake came to nothing, as an administrator would say it: one line, without the function and source file OpenSSL names. Pure. */

const unknownAuthority = 'the client certificate is of no authority in tls.clientCaFile';

/** What OpenSSL found of the certificate of a client, by its code. */
const certificateFaults: ReadonlyMap<string, string> = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'the client certificate is self-signed and not itself in tls.clientCaFile'],
  ['SELF_SIGNED_CERT_IN_CHAIN', unknownAuthority],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', unknownAuthority],
  ['CERT_UNTRUSTED', unknownAuthority],
  ['CERT_HAS_EXPIRED', 'the client certificate has expired'],
  ['CERT_NOT_YET_VALID', 'the client certificate is not valid yet'],
  ['INVALID_PURPOSE', 'the client certificate is not for clients (extended key usage)'],
]);

/** `code`: as Node tells it of a connection that goes on all the same. */
export const certificateFault = (code: unknown): string =>
  certificateFaults.get(String(code)) ?? `the client certificate is not valid (${String(code).slice(0, 100)})`;

/** Nothing more is known than that the client went away. */
export const goneInHandshake = 'connection closed before the handshake was over';

export function tlsFailure(message: string, code = ''): string {
  const fault = certificateFaults.get(code);
  if (fault !== undefined) return fault;
  if (/http request/i.test(message)) return 'HTTP where a TLS handshake was due';
  if (/wrong version number|packet length too long|unknown protocol/i.test(message))
    return 'plain text or other bytes where a TLS handshake was due';
  if (/peer did not return a certificate|certificate required/i.test(message)) return 'no client certificate';
  if (/socket closed while initiating|socket disconnected before/i.test(message)) return goneInHandshake;
  if (/read ECONNRESET/.test(message)) return 'connection reset before the handshake was over';
  const [line = ''] = message.trim().split(/[\r\n]/);
  return line
    .replace(/^.*?:SSL routines:[^:]*:/, '')
    .replace(/:[^:\s]*\.c:\d+:.*$/, '')
    .replace(/; if the root CA .*$/, '')
    .slice(0, 200);
}
