/** Received fields of a message, for loop detection (RFC 5321 §6.3). Looks at line starts up to the empty line; allocates nothing. */
const LF = 0x0a;
const CR = 0x0d;
const name = Buffer.from('received:');

function startsWithName(bytes: Buffer, at: number): boolean {
  if (at + name.length > bytes.length) return false;
  for (let index = 0; index < name.length; index++) {
    const octet = bytes[at + index] ?? 0;
    const lower = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    if (lower !== name[index]) return false;
  }
  return true;
}

export function countReceived(message: Buffer): number {
  let count = startsWithName(message, 0) ? 1 : 0;
  for (let at = message.indexOf(LF); at !== -1; at = message.indexOf(LF, at + 1)) {
    if (message[at + 1] === CR) break;
    if (startsWithName(message, at + 1)) count++;
  }
  return count;
}
