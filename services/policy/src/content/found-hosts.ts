/**
 * Hosts in a line of text or HTML, as a browser would read them: `http(s):` with slashes of either kind, `www.`, `mailto:`, and `//host` in an attribute;
 * character references and percent-encoding taken off, an international name as its A-label (WHATWG URL, UTS 46). Linear in the text.
 */
import { domainToASCII } from 'node:url';

/** Scheme, attribute or www, credentials, then the host as far as a host can go. */
const link =
  /(?:\bhttps?:[\\/]{1,6}(?:[^\s"'<>@/\\]{0,256}@)?|\b(?:href|src|srcset|action|formaction|background|poster|data|cite)\s{0,8}=\s{0,8}["']?\s{0,8}[\\/]{2}(?:[^\s"'<>@/\\]{0,256}@)?|\burl\(\s{0,8}["']?\s{0,8}[\\/]{2}|\bmailto:[^\s"'<>@?]{1,128}@|(?=\bwww(?:\.|%2e)[a-z0-9]))([^\s"'<>/?#:()\\,;&=]{3,500})/gi;
const reference = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(period|colon|sol|commat|amp|percnt|num|bsol|Tab|NewLine));?/gi;
const named: ReadonlyMap<string, string> = new Map([
  ...([
    ['period', '.'],
    ['colon', ':'],
    ['sol', '/'],
    ['commat', '@'],
    ['amp', '&'],
    ['percnt', '%'],
    ['num', '#'],
    ['bsol', '\\'],
    ['tab', ''],
    ['newline', ''],
  ] as const),
]);
/** Tabs and line ends within are left out by browsers. */
const quotedValue = /=\s{0,8}["'][^"'<>]{0,1500}/g;
/** Neither an address in whatever notation nor international: UTS 46 leaves it as it is. */
const ordinary = /^[a-z0-9.-]{1,250}\.[a-z]{2,63}$/;
const behindHost = /[\s"'<>/?#:()\\,;&=@]/;

export function* hostsIn(text: string): Iterable<string> {
  const plain = text.includes('&') ? text.replace(reference, dereferenced) : text;
  const joined = plain.includes('\t') ? plain.replace(quotedValue, (value) => value.replaceAll('\t', '')) : plain;
  yield* linked(joined);
  // A browser reads on behind a line end, a reader of plain text does not.
  if (joined.includes('\n') && joined.includes('=')) yield* linked(brokenValues(joined));
}

function* linked(text: string): Iterable<string> {
  for (const [, found = ''] of text.matchAll(link)) {
    const host = hostOf(found);
    if (host !== '' && host.includes('.')) yield host;
  }
}

/** The values that go on over a line end, without it. */
function brokenValues(text: string): string {
  let values = '';
  for (const [value] of text.matchAll(quotedValue))
    if (value.includes('\n')) values += `href${value.replace(/[\r\n]+/g, '')}" `;
  return values;
}

function dereferenced(written: string, decimal = '', hex = '', name = ''): string {
  if (name !== '') return named.get(name.toLowerCase()) ?? written;
  const code = decimal === '' ? Number.parseInt(hex, 16) : Number(decimal);
  return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : '';
}

function hostOf(found: string): string {
  const decoded = found.includes('%') ? percentDecoded(found) : found;
  const [host = ''] = decoded.toLowerCase().split(behindHost, 1);
  const name = host
    .slice(0, 253)
    .replace(/[.\]]+$/, '')
    .replace(/^\[/, '');
  return ordinary.test(name) && !name.includes('xn--') ? name : domainToASCII(name);
}

function percentDecoded(text: string): string {
  const octets = text.replace(/%([0-9a-f]{2})/gi, (_written, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  // What stood there beyond ASCII is UTF-8 only when it was written in percent.
  return Buffer.byteLength(text) === text.length ? Buffer.from(octets, 'latin1').toString('utf8') : octets;
}
