/** The smallest MMDB file there is: one IPv4 network with one entry. Written by the format's own description (MaxMind DB 2.0). */

const string = (text: string): Buffer => Buffer.concat([Buffer.from([0x40 | text.length]), Buffer.from(text)]);
const map = (entries: Readonly<Record<string, Buffer>>): Buffer =>
  Buffer.concat([
    Buffer.from([0xe0 | Object.keys(entries).length]),
    ...Object.entries(entries).flatMap(([key, value]) => [string(key), value]),
  ]);
const uint16 = (value: number): Buffer => Buffer.from([0xa2, value >> 8, value & 0xff]);
const uint32 = (value: number): Buffer => {
  const octets = Buffer.from([0xc4, 0, 0, 0, 0]);
  octets.writeUInt32BE(value, 1);
  return octets;
};
const uint64 = (value: number): Buffer => Buffer.from([0x01, 0x02, value]);

/** `firstOctet`: the network is `firstOctet.0.0.0/8`. */
export function oneNetwork(firstOctet: number, entry: Readonly<Record<string, number | string>>): Buffer {
  const nodes = 8;
  const tree = Buffer.alloc(nodes * 6);
  for (let node = 0; node < nodes; node++) {
    const next = node + 1 === nodes ? nodes + 16 : node + 1;
    const bit = (firstOctet >> (7 - node)) & 1;
    tree.writeUIntBE(bit === 0 ? next : nodes, node * 6, 3);
    tree.writeUIntBE(bit === 1 ? next : nodes, node * 6 + 3, 3);
  }
  const data = map(
    Object.fromEntries(
      Object.entries(entry).map(([key, value]) => [key, typeof value === 'number' ? uint32(value) : string(value)]),
    ),
  );
  const metadata = map({
    node_count: uint32(nodes),
    record_size: uint16(24),
    ip_version: uint16(4),
    database_type: string('Test'),
    binary_format_major_version: uint16(2),
    binary_format_minor_version: uint16(0),
    build_epoch: uint64(1),
  });
  return Buffer.concat([
    tree,
    Buffer.alloc(16),
    data,
    Buffer.from('abcdef', 'hex'),
    Buffer.from('MaxMind.com'),
    metadata,
  ]);
}
