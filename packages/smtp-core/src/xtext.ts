/**
 * xtext of RFC 3461 §4 and the utf-8 address forms of RFC 6533 §3: how ENVID, ORCPT and AUTH= carry text.
 * Decoders return null for what the grammar does not allow; decoded control characters are refused, since the
 * value ends up in replies, headers and reports.
 */

const XCHAR = /[!-*,-<>-~]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is the check for control characters
const CONTROL = /[\x00-\x1f\x7f-\x9f\ufffd]/;

/** Encodes as xtext; characters beyond ASCII go as the octets of their UTF-8 form. */
export function encodeXtext(text: string): string {
  let out = '';
  for (const octet of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(octet);
    out += octet < 0x7f && XCHAR.test(character) ? character : `+${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

export function decodeXtext(text: string): string | null {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/i.test(text)) return null;
  if (!text.includes('+')) return text;
  const octets: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text.charAt(at) === '+') {
      octets.push(Number.parseInt(text.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      octets.push(text.charCodeAt(at));
    }
  }
  const decoded = Buffer.from(octets).toString('utf8');
  return CONTROL.test(decoded) ? null : decoded;
}

/** utf-8-addr-xtext: 7-bit form of an address with type utf-8, RFC 6533 §3. */
export function encodeUtf8AddressXtext(address: string): string {
  let out = '';
  for (const character of address) {
    const code = character.codePointAt(0) ?? 0;
    const plain = code > 0x20 && code < 0x7f && character !== '+' && character !== '=' && character !== '\\';
    out += plain ? character : `\\x{${code.toString(16).toUpperCase().padStart(2, '0')}}`;
  }
  return out;
}

/** Decodes utf-8-addr-xtext and utf-8-addr-unitext alike. */
export function decodeUtf8AddressXtext(text: string): string | null {
  if (!/^(?:[!-*,-<>-[\]-~]|[^ -~]|\\x\{[0-9A-F]{2,6}\})*$/iu.test(text)) return null;
  let valid = true;
  const decoded = text.replace(/\\x\{([0-9A-F]{2,6})\}/gi, (_whole, hex: string) => {
    const code = Number.parseInt(hex, 16);
    if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code);
    valid = false;
    return '';
  });
  return valid && !CONTROL.test(decoded) ? decoded : null;
}
