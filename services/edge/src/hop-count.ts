/** Received fields in a header section, for loop detection (RFC 5321 §6.3). Looks at line starts only; allocates nothing. */
const LF = 0x0a;
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

export function countReceived(headerSection: Buffer): number {
  let count = startsWithName(headerSection, 0) ? 1 : 0;
  for (let at = headerSection.indexOf(LF); at !== -1; at = headerSection.indexOf(LF, at + 1)) {
    if (startsWithName(headerSection, at + 1)) count++;
  }
  return count;
}
