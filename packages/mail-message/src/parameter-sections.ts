/** Sections of one parameter, RFC 2231 §3-4: in order, those with a star percent-encoded in the charset the first one names. Bounded. */
import { decodeCharset } from './encoded-word.js';

const MAX_SECTIONS = 100;

export function percentDecode(text: string): Buffer {
  const plain = text.replace(/%([0-9A-Fa-f]{2})/g, (_match, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(plain, 'latin1');
}

/** Keys are what stands behind the first star: `0`, `1*`, or `*` for a parameter that is no more than extended. */
export function joinSections(sections: ReadonlyMap<string, string>): string {
  const first = sections.get('0*') ?? sections.get('*') ?? '';
  const [charset = '', , ...rest] = first.split("'");
  const marked = rest.length > 0;
  const octets: Buffer[] = [];
  for (let index = 0; index < MAX_SECTIONS; index += 1) {
    const encoded = sections.get(`${index}*`) ?? (index === 0 ? sections.get('*') : undefined);
    const plain = sections.get(String(index));
    if (encoded !== undefined) octets.push(percentDecode(index === 0 && marked ? rest.join("'") : encoded));
    else if (plain !== undefined) octets.push(Buffer.from(plain, 'utf8'));
    else break;
  }
  return decodeCharset(Buffer.concat(octets), marked && charset !== '' ? charset : 'utf-8');
}
