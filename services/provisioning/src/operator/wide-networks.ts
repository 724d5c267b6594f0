/**
 * Networks so wide that a right they give is nearly everybody's: said as a note by `npm start --check`, never refused, since a closed network may be wide.
 * IPv4 below /8 and IPv6 below /16: no one holds more.
 */
import { type Fault, type FieldPath, parseCidr } from '@postern/config';
import type { OperatorDocument } from './schema.js';

const leastBits = { ipv4: 8, ipv6: 16 };

/** Of a range the first part of both addresses: 256 IPv4 networks of /8, 65,536 IPv6 ones of /16. */
function isWideRange(from: string, to: string): boolean {
  const partOf = (address: string): number =>
    address.includes(':') ? Number.parseInt(address.split(':')[0] || '0', 16) : Number(address.split('.')[0]);
  return partOf(to) - partOf(from) > 1;
}

function isWide(network: string): boolean {
  const [from = '', to] = network.split('-').map((part) => part.trim());
  if (to !== undefined) return isWideRange(from, to);
  const parsed = parseCidr(network);
  return parsed !== undefined && parsed.bits < (parsed.address.includes(':') ? leastBits.ipv6 : leastBits.ipv4);
}

const note = (path: FieldPath, network: string, means: string): Fault[] =>
  isWide(network) ? [{ path, message: `${JSON.stringify(network)} ${means}` }] : [];

export const wideNetworkNotes = ({ relayNetworks, trustedProxies, listeners }: OperatorDocument): Fault[] => [
  ...relayNetworks.flatMap(({ network }, index) =>
    note(
      ['relayNetworks', index, 'network'],
      network,
      'makes an open relay: nearly everybody may send to anywhere; expected the networks of your own hosts',
    ),
  ),
  ...trustedProxies.flatMap((network, index) =>
    note(
      ['trustedProxies', index],
      network,
      'lets nearly everybody say by a PROXY header who they are, a client with relay right too; expected the addresses of your balancers',
    ),
  ),
  ...Object.entries(listeners).flatMap(([name, { xclient }]) =>
    xclient.flatMap((network, index) =>
      note(
        ['listeners', name, 'xclient', index],
        network,
        'makes an open relay: nearly everybody may say by XCLIENT that they are a client with relay right or a user who logged in; expected the addresses of your filters',
      ),
    ),
  ),
];
