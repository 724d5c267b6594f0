/**
 * A call that failed, in the words of a person at a terminal: who does not answer, why as far as it is known, and the way out. What gRPC says
 * about its channels is no text for people. Answers of the cluster pass as they are.
 */
import { PosternError } from '@postern/errors';
import { isUnanswered } from '@postern/grpc';
import type { ServerSettings } from './settings.js';
import { PlainError } from './usage-error.js';

/** The first that is found in what the channel said. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'nothing listens there'],
  [/Name resolution|ENOTFOUND|EAI_AGAIN/, 'its name is not known'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no way to that address'],
  [/certificate|altnames|issuer|CERT_/i, 'its certificate is not trusted; name its authority with --ca FILE'],
  [/wrong version number|SSL|TLS/i, 'it does not speak TLS; leave --ca away'],
  [/ECONNRESET|EPIPE|Protocol error|closed/i, 'it hangs up; it may want TLS (--ca FILE), or be no Postern API'],
];

export function apiFailure(error: unknown, { server, keyFile }: ServerSettings, timeoutMs: number): unknown {
  if (!(error instanceof PosternError)) return error;
  if (error.id === 'unauthenticated') {
    const reason = error.detail.replace(/: authorization: .*$/, '');
    return new PlainError(
      `the API at ${server} does not take the key in ${keyFile}${reason === '' ? '' : `: ${reason}`}`,
    );
  }
  if (!isUnanswered(error)) return error;
  if (error.id === 'deadline-exceeded') {
    return new PlainError(`the API at ${server} did not answer within ${timeoutMs / 1_000} s; --timeout allows more`);
  }
  const reason = reasons.find(([pattern]) => pattern.test(error.detail))?.[1];
  return new PlainError(
    `the API at ${server} cannot be reached${reason === undefined ? '' : `: ${reason}`}. Start the cluster with \`npm start\`, or name another with --server HOST:PORT or --data DIR`,
  );
}
