/**
 * Reads the requests of an upload from the wire. A chunk is a view of the octets that came, where the generated reader would copy them: at hundreds
 * of megabytes a second the copies are what the collector stops everything for. Everything else is read as ever.
 */
import { ContentRequest } from '@postern/proto/policy/v1/policy_service';

/** Field 2, length-delimited. */
const chunkTag = (2 << 3) | 2;
const longestVarint = 5;

export function readContentRequest(bytes: Buffer): ContentRequest {
  const chunk = bytes[0] === chunkTag ? onlyField(bytes) : undefined;
  return chunk === undefined ? ContentRequest.decode(bytes) : { kind: { $case: 'chunk', value: chunk } };
}

/** The value of a message that is one field; undefined = there is more, or less. */
function onlyField(bytes: Buffer): Buffer | undefined {
  let length = 0;
  for (let at = 1; at <= longestVarint; at++) {
    const octet = bytes[at];
    if (octet === undefined) return undefined;
    length += (octet & 0x7f) * 2 ** (7 * (at - 1));
    if (octet < 0x80) return at + 1 + length === bytes.length ? bytes.subarray(at + 1) : undefined;
  }
  return undefined;
}
