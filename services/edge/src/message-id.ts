/**
 * Message-ID of a message (RFC 5322 §3.6.4), as people know it who ask where their mail is. Looks at line starts up to the empty line; of several
 * fields the first counts. What is no identification is taken as it stands, bounded.
 */
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const TAB = 0x09;
const name = Buffer.from('message-id:');
const longest = 500;

function startsWithName(bytes: Buffer, at: number): boolean {
  // Fields that begin with another letter are most of them.
  if (((bytes[at] ?? 0) | 0x20) !== name[0] || at + name.length > bytes.length) return false;
  for (let index = 1; index < name.length; index++) {
    const octet = bytes[at + index] ?? 0;
    const lower = octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
    if (lower !== name[index]) return false;
  }
  return true;
}

/** The value that begins there, unfolded (RFC 5322 §2.2.3), without angle brackets. */
function valueAt(bytes: Buffer, start: number): string {
  let end = bytes.indexOf(LF, start);
  while (end !== -1 && end - start < 2 * longest && (bytes[end + 1] === SP || bytes[end + 1] === TAB))
    end = bytes.indexOf(LF, end + 1);
  const line = bytes
    .toString('utf8', start, Math.min(end === -1 ? bytes.length : end, start + 2 * longest))
    .replace(/[\s\0]+/g, ' ')
    .trim();
  const [, inner = line] = /^<([^<>]*)>/.exec(line) ?? [];
  return inner.trim().slice(0, longest);
}

/** Without angle brackets, at most 500 characters; empty where there is none. */
export function messageIdOf(message: Buffer): string {
  if (startsWithName(message, 0)) return valueAt(message, name.length);
  for (let at = message.indexOf(LF); at !== -1; at = message.indexOf(LF, at + 1)) {
    if (message[at + 1] === CR) break;
    if (startsWithName(message, at + 1)) return valueAt(message, at + 1 + name.length);
  }
  return '';
}
