/** Content-Transfer-Encoding, RFC 2045 §6: decoding parts for checks, and quoted-printable for reports we write. */

/** Never throws; what is broken decodes to something shorter. Unknown encodings are handed back as they are. */
export function decodeTransferEncoding(octets: Buffer, encoding: string): Buffer {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      return Buffer.from(octets.toString('latin1'), 'base64');
    case 'quoted-printable': {
      const joined = octets.toString('latin1').replace(/=\r?\n/g, '');
      const hex = /=([0-9A-Fa-f]{2})/g;
      return Buffer.from(
        joined.replace(hex, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
        'latin1',
      );
    }
    default:
      return octets;
  }
}

function hex(octet: number): string {
  return `=${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** One line without its line end. Lines of at most 76 characters, RFC 2045 §6.7 rule 5. */
function encodeLine(line: Buffer): string {
  let out = '';
  let width = 0;
  for (const [index, octet] of line.entries()) {
    const space = octet === 0x20 || octet === 0x09;
    const plain = (octet >= 0x21 && octet <= 0x7e && octet !== 0x3d) || (space && index < line.length - 1);
    const piece = plain ? String.fromCharCode(octet) : hex(octet);
    if (width + piece.length > 75) {
      out += '=\r\n';
      width = 0;
    }
    out += piece;
    width += piece.length;
  }
  return out;
}

/** Text with CRLF or LF line ends as quoted-printable with CRLF. */
export function encodeQuotedPrintable(text: string | Buffer): string {
  const latin1 = (typeof text === 'string' ? Buffer.from(text, 'utf8') : text).toString('latin1');
  return latin1
    .split(/\r?\n/)
    .map((line) => encodeLine(Buffer.from(line, 'latin1')))
    .join('\r\n');
}
