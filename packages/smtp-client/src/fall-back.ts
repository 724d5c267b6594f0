/**
 * Connects as a mail server does: where TLS is opportunistic, a handshake that fails is tried again in plain on a new connection (RFC 7435 §3).
 * Required and verified TLS never are, nor TLS from the first octet: on such a port nobody speaks plain (RFC 8314 §3).
 */
import { type ConnectResult, connectSmtp } from './connect.js';
import type { ConnectOptions } from './options.js';

export async function connectOrFallBack(options: ConnectOptions): Promise<ConnectResult> {
  const connected = await connectSmtp(options);
  const { mode, implicit } = options.tls;
  if (connected.ok || implicit === true || mode !== 'opportunistic' || connected.failure.stage !== 'tls')
    return connected;
  return connectSmtp({ ...options, tls: { mode: 'none' } });
}
