/**
 * A next hop as it is written on the wire (postern.mail.v1) in the words of this package. Delivery and call forward reach a host by the same
 * settings, so that what one asks is what the other meets. Names, addresses and logins are the caller's matter.
 */
import { HopProtocol, type NextHop, TlsMode as WireTlsMode } from '@postern/proto/mail/v1/item';
import type { ConnectOptions, TlsMode } from './options.js';

/** RFC 8314 §7.3: TLS from the first octet. */
const submissionsPort = 465;

/** A mode of a later release is taken for the strictest known. */
const tlsModes: Readonly<Record<WireTlsMode, TlsMode>> = {
  [WireTlsMode.UNSPECIFIED]: 'opportunistic',
  [WireTlsMode.NONE]: 'none',
  [WireTlsMode.OPPORTUNISTIC]: 'opportunistic',
  [WireTlsMode.REQUIRED]: 'required',
  [WireTlsMode.VERIFIED]: 'verified',
  [WireTlsMode.UNRECOGNIZED]: 'verified',
};

export const tlsModeOf = (mode: WireTlsMode): TlsMode => tlsModes[mode];

export function hopOptions({
  host,
  port,
  protocol,
  tlsMode,
  tlsServerName,
  implicitTls,
}: NextHop): Pick<ConnectOptions, 'port' | 'protocol' | 'tls'> {
  return {
    port,
    protocol: protocol === HopProtocol.LMTP ? 'lmtp' : 'smtp',
    tls: {
      mode: tlsModeOf(tlsMode),
      implicit: implicitTls || port === submissionsPort,
      serverName: tlsServerName === '' ? host : tlsServerName,
    },
  };
}
