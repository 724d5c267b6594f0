/** Why a handshake came to nothing, as an administrator would say it: one line, without the function and source file OpenSSL names. Pure. */
export function tlsFailure(message: string): string {
  if (/http request/i.test(message)) return 'HTTP where a TLS handshake was due';
  if (/wrong version number|packet length too long|unknown protocol/i.test(message))
    return 'plain text where a TLS handshake was due';
  if (/peer did not return a certificate|certificate required/i.test(message)) return 'no client certificate';
  const [line = ''] = message.trim().split(/[\r\n]/);
  return line
    .replace(/^.*?:SSL routines:[^:]*:/, '')
    .replace(/:[^:\s]*\.c:\d+:.*$/, '')
    .slice(0, 200);
}
