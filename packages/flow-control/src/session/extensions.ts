/** ESMTP extensions the edge knows, by keyword; each may be switched off for a listener. What is not offered is not taken either. */
export const extensionKeywords = [
  'PIPELINING',
  'SIZE',
  'LIMITS',
  // Not last: there are clients that know these two by `250-` alone.
  'STARTTLS',
  'AUTH',
  'CHUNKING',
  'BINARYMIME',
  '8BITMIME',
  'DSN',
  'ENHANCEDSTATUSCODES',
  'SMTPUTF8',
  'REQUIRETLS',
] as const;

export type ExtensionKeyword = (typeof extensionKeywords)[number];

/** Few next hops take binary mail, and what cannot be passed on fails after its 250. */
export const offByDefault: readonly ExtensionKeyword[] = ['BINARYMIME'];

/** RFC 3030 §3: a binary message comes by BDAT only. RFC 6531 §3.1: who takes addresses beyond ASCII takes 8BITMIME. */
export function extensionsWithout(off: readonly string[]): ReadonlySet<ExtensionKeyword> {
  const on = new Set(extensionKeywords.filter((keyword) => !off.includes(keyword)));
  if (!on.has('CHUNKING')) on.delete('BINARYMIME');
  if (!on.has('8BITMIME')) on.delete('SMTPUTF8');
  return on;
}
