import { expect, test } from 'vitest';
import { examineOperatorDocument } from './document.js';

const noted = (text: string): readonly string[] => {
  const { problems, notes } = examineOperatorDocument([{ file: 'base.yaml', text }]);
  expect(problems).toEqual([]);
  return notes.map(({ path, message }) => `${path}: ${message}`);
};
const relay = (network: string): string => `relayNetworks: [{ network: "${network}", tenant: system }]`;

test.each(['0.0.0.0/0', '::/0', '128.0.0.0/1', '2000::/3', '1.0.0.0-223.255.255.255', '::-ffff::'])(
  '%s may relay: a note',
  (network) => {
    expect(noted(relay(network))).toEqual([expect.stringMatching(/^relayNetworks\[0\]\.network: .* open relay/)]);
    expect(noted(`trustedProxies: ["${network}"]`)).toEqual([
      expect.stringMatching(/^trustedProxies\[0\]: .* PROXY header/),
    ]);
  },
);

test.each(['10.0.0.0/8', '192.0.2.1', 'fd00::/16', '2001:db8::/32', '10.0.0.1-10.255.255.255'])(
  '%s: none',
  (network) => {
    expect(noted(relay(network))).toEqual([]);
  },
);
