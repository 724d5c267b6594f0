/** Text for who can read ASCII alone: letters without their marks, signs by what stands for them; `?` for the rest. RFC 6531 §3.7.4.1 leaves no more. Pure. */
const beyond = /[^\0-\x7f]/u;

const each = (characters: string, plain: string) => [...characters].map((one) => [one, plain] as const);

const signs: ReadonlyMap<string, string> = new Map([
  ...each('‐‑‒–—―−', '-'),
  ...each('‘’‚‛′', "'"),
  ...each('“”„‟″«»', '"'),
  ...Object.entries({ '•': '*', '·': '.', '→': '->', '€': 'EUR', '£': 'GBP', '©': '(c)', '®': '(r)' }),
  ...Object.entries({ ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', đ: 'd', Đ: 'D' }),
  ...Object.entries({ ł: 'l', Ł: 'L', þ: 'th', Þ: 'Th', ð: 'd', Ð: 'D', ı: 'i' }),
]);

/** Compatibility forms too: `…` becomes three dots, a full-width letter itself. */
export function asciiText(text: string): string {
  if (!beyond.test(text)) return text;
  let out = '';
  for (const character of text.normalize('NFC')) {
    const plain = signs.get(character) ?? character.normalize('NFKD').replaceAll(/\p{M}/gu, '').replaceAll('⁄', '/');
    out += beyond.test(plain) ? '?' : plain;
  }
  return out;
}
