/** Enhanced status codes, RFC 3463 §2: `class.subject.detail`. */
export type EnhancedCode = `${2 | 4 | 5}.${number}.${number}`;

const EXACT = /^[245]\.\d{1,3}\.\d{1,3}$/;
const LEADING = /^([245]\.\d{1,3}\.\d{1,3})(?: |$)/;

export function isEnhancedCode(text: string): text is EnhancedCode {
  return EXACT.test(text);
}

/** The enhanced code at the start of a reply text (RFC 2034 §4) and what follows it, or null where there is none. */
export function parseEnhancedCode(text: string): { readonly code: EnhancedCode; readonly rest: string } | null {
  const code = LEADING.exec(text)?.[1];
  if (code === undefined || !isEnhancedCode(code)) return null;
  return { code, rest: text.slice(code.length + 1) };
}
