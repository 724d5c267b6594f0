/**
 * UTF-7, which no decoder of the platform knows and some mail programs still do: between `+` and the first character that is no base64 stand
 * UTF-16 letters. RFC 2152. Lenient: what is cut short is left away. Linear; holds one bounded run.
 */
const run = /\+([A-Za-z0-9+/]*)(-?)/g;
/** Eight letters of base64 are three of UTF-16. */
const longestRun = 4_096;
const openRun = new RegExp(`\\+[A-Za-z0-9+/]{0,${longestRun}}$`);

/** The charset may be named in it. */
export const namesUtf7 = (text: string): boolean => /utf-?7/i.test(text);

export function decodeUtf7(text: string): string {
  return text.replace(run, (_written, letters: string, end: string) => {
    if (letters === '') return end === '' ? '' : '+';
    const octets = Buffer.from(letters, 'base64');
    return octets
      .subarray(0, octets.length - (octets.length % 2))
      .swap16()
      .toString('utf16le');
  });
}

/** A text that comes in pieces. */
export class Utf7Decoder {
  #held = '';

  decode(octets: Buffer): string {
    const text = this.#held + octets.toString('latin1');
    const open = openRun.exec(text.slice(-longestRun))?.index;
    const end = open === undefined ? text.length : Math.max(0, text.length - longestRun) + open;
    this.#held = text.slice(end);
    return decodeUtf7(text.slice(0, end));
  }
}
