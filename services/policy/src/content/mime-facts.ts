/** What rules may know of the parts of a message: how many, of which types, which attachments, the size of the largest. RFC 2045. */
import { type MimePart, readMimeStructure } from '@postern/mail-message';

export interface MimeFacts {
  readonly parts: number;
  readonly types: readonly string[];
  readonly attachments: readonly string[];
  readonly largestAttachment: number;
}

const maxListed = 1_000;

/** Decoded octets, without decoding: four characters are three octets, and 76 characters a line have a line end of two. */
function decodedSize({ transferEncoding, bodyStart, bodyEnd }: MimePart): number {
  const size = bodyEnd - bodyStart;
  return transferEncoding === 'base64' ? Math.floor((size * 76 * 3) / (78 * 4)) : size;
}

const isAttachment = ({ disposition, filename }: MimePart): boolean =>
  disposition === 'attachment' || (filename !== null && filename !== '');

export function mimeFacts(message: Buffer): MimeFacts {
  const { parts } = readMimeStructure(message);
  const attachments = parts.filter(isAttachment);
  return {
    parts: parts.length,
    types: [...new Set(parts.map(({ contentType }) => contentType))].slice(0, maxListed),
    attachments: attachments.map(({ filename }) => filename ?? '').slice(0, maxListed),
    largestAttachment: attachments.reduce((largest, part) => Math.max(largest, decodedSize(part)), 0),
  };
}
