/**
 * Accepts Kerberos contexts with the keys of a mounted keytab. Every call of the library has a deadline and a bound on how many are under way, since it may
 * read files and locks: beyond either the answer is `unavailable` (454), and the context is given back when the call ends. What is wrong with the client's
 * ticket is `refused`; what is wrong here (keytab, replay cache) never is.
 */
import type { Clock } from '@postern/clock';
import type { CredentialStore, GssLibrary, Handle, Status } from './library.js';

export type Failure = { readonly kind: 'refused' | 'unavailable'; readonly reason: string };
export type Step =
  | { readonly kind: 'continue'; readonly token: Buffer }
  | { readonly kind: 'complete'; readonly token: Buffer }
  | Failure;
export type Sealed = { readonly kind: 'done'; readonly message: Buffer } | Failure;

/** One exchange; `close` ends it, whatever happened. */
export interface KerberosExchange {
  step(token: Buffer): Promise<Step>;
  /** `user@REALM`, once complete. */
  principal(): string | undefined;
  wrap(message: Buffer): Promise<Sealed>;
  unwrap(message: Buffer): Promise<Sealed>;
  close(): void;
}

export interface KerberosAcceptor {
  begin(): KerberosExchange;
}

export type CallOutcome = 'done' | 'failed' | 'late' | 'busy';

export interface AcceptorOptions {
  readonly library: GssLibrary;
  readonly store: CredentialStore;
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly onCall: (outcome: CallOutcome, seconds: number) => void;
}

const mostCalls = 32;
const errorBits = 0xffff_0000;
const continueNeeded = 1;
const noCredentials = 7 << 16;
const failure = 13 << 16;
/** The table of RFC 4120's own errors in the minor codes: those are about what the client sent. */
const protocolErrors = { first: 2_529_638_912, last: 2_529_639_039 };

const isError = ({ major }: Status): boolean => (major & errorBits) !== 0;

function isOurs({ major, minor }: Status): boolean {
  const routine = major & errorBits;
  if (routine === noCredentials) return true;
  return routine === failure && (minor < protocolErrors.first || minor > protocolErrors.last);
}

/** Rejects when the keytab has no key that can be used. */
export function createAcceptor(options: AcceptorOptions): KerberosAcceptor {
  const { library, store, clock, deadlineMs, onCall } = options;
  const probe = library.acquire(store);
  if (isError(probe)) throw new Error(library.describe(probe));
  library.releaseCredential(probe.credential);
  let calls = 0;

  const failed = (status: Status): Failure => ({
    kind: isOurs(status) ? 'unavailable' : 'refused',
    reason: `kerberos: ${library.describe(status)}`,
  });

  /** `call` under deadline and bound; `holds` hears of what `close` must wait for. */
  async function bounded<T>(call: () => Promise<T>, holds: (underWay: Promise<unknown>) => void): Promise<T | Failure> {
    if (calls >= mostCalls) {
      onCall('busy', 0);
      return { kind: 'unavailable', reason: 'kerberos: too many calls under way' };
    }
    calls++;
    const begun = clock.monotonic();
    const seconds = (): number => (clock.monotonic() - begun) / 1_000;
    const underWay = call().finally(() => calls--);
    holds(underWay.catch(() => undefined));
    const waiting = new AbortController();
    const nothing = (): undefined => undefined;
    const late = clock.sleep(deadlineMs, waiting.signal).then(nothing, nothing);
    try {
      const answer = await Promise.race([underWay.then((value) => ({ value })), late]);
      onCall(answer === undefined ? 'late' : 'done', seconds());
      return answer?.value ?? { kind: 'unavailable', reason: 'kerberos: the library did not answer in time' };
    } catch (error) {
      onCall('failed', seconds());
      return { kind: 'unavailable', reason: `kerberos: ${error instanceof Error ? error.message : String(error)}` };
    } finally {
      waiting.abort();
    }
  }

  function begin(): KerberosExchange {
    const { credential } = library.acquire(store);
    let context: Handle = null;
    let source: Handle = null;
    let underWay: Promise<unknown> = Promise.resolve();
    const holds = (call: Promise<unknown>): void => {
      underWay = call;
    };
    const sealed = async (call: () => Promise<Status & { readonly message: Buffer }>): Promise<Sealed> => {
      const answer = await bounded(call, holds);
      if ('kind' in answer) return answer;
      return isError(answer) ? failed(answer) : { kind: 'done', message: answer.message };
    };
    return {
      async step(token) {
        const answer = await bounded(async () => {
          const accepted = await library.accept(context, credential, token);
          context = accepted.context;
          library.releaseName(source);
          source = accepted.source;
          return accepted;
        }, holds);
        if ('kind' in answer) return answer;
        if (isError(answer)) return failed(answer);
        return { kind: (answer.major & continueNeeded) === 0 ? 'complete' : 'continue', token: answer.token };
      },
      principal: () => (source === null ? undefined : library.displayName(source)),
      wrap: (message) => sealed(() => library.wrap(context, message)),
      unwrap: (message) => sealed(() => library.unwrap(context, message)),
      close() {
        void underWay.then(() => {
          library.deleteContext(context);
          library.releaseName(source);
          library.releaseCredential(credential);
        });
      },
    };
  }
  return { begin };
}
