/**
 * What holds for every reply of a session, whatever was asked: the form of RFC 5321 §4.2 and, where ENHANCEDSTATUSCODES is offered, an enhanced code
 * of the reply's class on every line of all but greetings, EHLO, 334 and 354 (RFC 2034 §4); where it is not, none. Every 4xx and 5xx ends with the
 * session id.
 */
const replyLine = /^(\d{3})([ -])(?:([245]\.\d{1,3}\.\d{1,3}) )?.*$/;
const sessionId = / \([0-9A-HJKMNP-TV-Z]{26}\)$/;
/** RFC 5321 §4.5.3.1.5, without the CRLF. */
const maxLine = 510;
/** Greetings, and HELO, which begins with our name. */
const withoutCode = /^(?:220|250)[ -](?:[a-z0-9-]+\.)+[a-z]+(?: |\r|$)|^334|^354 /;

function faultOf(reply: string, isOffered: boolean): string | undefined {
  // A challenge may be empty, and its space is trimmed by the client.
  const lines = (reply === '334' ? '334 ' : reply).split('\r\n');
  const codes = new Set(lines.map((line) => line.slice(0, 3)));
  if (codes.size !== 1) return 'codes differ';
  const bare = withoutCode.test(reply);
  for (const [index, line] of lines.entries()) {
    const [, code = '', mark, enhanced] = replyLine.exec(line) ?? [];
    const isLast = index === lines.length - 1;
    if (!/^[2-5]\d\d$/.test(code)) return 'no reply code';
    if (mark !== (isLast ? ' ' : '-')) return 'the last line alone has a space behind its code';
    if (Buffer.byteLength(line) > maxLine) return 'a line is too long';
    if (enhanced !== undefined && (bare || !isOffered)) return 'an enhanced code where none may stand';
    if (enhanced === undefined && !bare && isOffered) return 'no enhanced code';
    if (enhanced !== undefined && !enhanced.startsWith(`${code.charAt(0)}.`))
      return 'an enhanced code of another class';
    if (isLast && code >= '400' && !sessionId.test(line)) return 'no session id';
  }
  return undefined;
}

/** Without an EHLO that lists extensions: as the first reply that could carry a code does. */
function offersCodes(said: readonly string[]): boolean {
  const greetings = said.filter((reply) => reply.startsWith('250-') && withoutCode.test(reply));
  if (greetings.length > 0) return greetings.some((reply) => reply.includes('ENHANCEDSTATUSCODES'));
  const first = said.find((reply) => !withoutCode.test(reply));
  return first === undefined || replyLine.exec(first)?.[3] !== undefined;
}

/** The first reply of a session that is not in form, and why; undefined where all are. */
export function malformedReply(said: readonly string[]): string | undefined {
  const isOffered = offersCodes(said);
  for (const reply of said) {
    const fault = faultOf(reply, isOffered);
    if (fault !== undefined) return `${fault}: ${JSON.stringify(reply)}`;
  }
  return undefined;
}
