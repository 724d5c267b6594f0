/** The time half of a ULID: ids are compared bytewise, so a time is a range of ids. */
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The 10 characters of a time in milliseconds. */
export function ulidTimePart(ms: number): string {
  let text = '';
  let rest = Math.max(0, Math.floor(ms));
  for (let i = 0; i < 10; i++) {
    text = crockford.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** The lowest id of that millisecond. */
export const ulidFloor = (ms: number): string => ulidTimePart(ms) + '0'.repeat(16);

/** 80 bits as the other 16 characters. */
export function ulidRandomPart(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < 16; i++) text += crockford.charAt((bytes[i] ?? 0) & 31);
  return text;
}
