/**
 * Why a command did not reach Redis, in words of its own: what the client says then is about its streams and options. The reason is that of the
 * connection, which was told before. What Redis itself answered to a command is passed on as it is.
 */

/** While there is no connection the client says one of these. */
const unconnected =
  /^Stream isn't writeable|^Connection is closed|^Cluster isn't ready|^Failed to refresh slots cache|^None of startup nodes/;

const longest = 120;

const reasons: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'nothing listens there'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known'],
  [/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, 'there is no way to it'],
  [/^WRONGPASS|^NOAUTH|^ERR invalid password|^ERR AUTH/, 'it refuses the login'],
  [/^NOPERM/, 'its user may not do what is asked'],
];

/** `connection`: the last error of the connection. */
export function redisTrouble(error: unknown, connection: Error | undefined): Error {
  const said = error instanceof Error ? error : new Error(String(error));
  if (!unconnected.test(said.message)) return said;
  if (connection === undefined) return new Error('Redis does not answer', { cause: said });
  const text = `${'code' in connection ? String(connection.code) : ''} ${connection.message}`.trim();
  const reason = reasons.find(([pattern]) => pattern.test(text) || pattern.test(connection.message))?.[1];
  return new Error(`Redis does not answer: ${reason ?? text.slice(0, longest)}`, { cause: said });
}
