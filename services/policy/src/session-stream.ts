/**
 * The long-lived stream of one edge (design.md, step 3): a notice with the credit first, then requests answered in any order, each by its
 * deadline. A failure is an answer too. More than the credit outstanding is refused; answers that the edge does not read stop the reading
 * of its requests. While draining a second notice is sent, what is outstanding is answered, and the stream ends.
 */

import type { ServerDuplexStream } from '@grpc/grpc-js';
import { PosternError, toPosternError } from '@postern/errors';
import type { EvaluateRequest, SessionRequest, SessionResponse } from '@postern/proto/policy/v1/policy_service';
import type { Judge } from './judge.js';

export interface SessionStreamOptions {
  readonly judge: Judge;
  readonly pod: string;
  readonly credit: number;
  /** Aborted when the pod drains. */
  readonly draining: AbortSignal;
  readonly onFailed: (error: PosternError, request: EvaluateRequest) => void;
}

type Stream = ServerDuplexStream<SessionRequest, SessionResponse>;

class SessionStream {
  readonly #stream: Stream;
  readonly #options: SessionStreamOptions;
  readonly #over = Promise.withResolvers<void>();
  #outstanding = 0;
  #ended = false;

  constructor(stream: Stream, options: SessionStreamOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  run(): Promise<void> {
    const { draining } = this.#options;
    const stream = this.#stream;
    const end = (): void => this.#end();
    const notify = (): void => this.#notify();
    stream.on('data', (request: SessionRequest) => this.#take(request));
    stream.on('drain', () => stream.resume());
    // A client that goes away, or a message that cannot be read: nobody is left to answer.
    for (const event of ['error', 'cancelled', 'close'] as const) stream.on(event, () => this.#stop());
    stream.on('end', end);
    draining.addEventListener('abort', notify, { once: true });
    this.#notify();
    return this.#over.promise.finally(() => draining.removeEventListener('abort', notify));
  }

  #take({ requestId, deadlineMs, kind }: SessionRequest): void {
    // Sessions leave nothing here to forget; filters of later releases do.
    if (kind?.$case === 'end') return;
    const { credit } = this.#options;
    if (kind === undefined) {
      this.#fail(requestId, new PosternError('invalid-argument', 'request without a kind'));
    } else if (this.#outstanding >= credit) {
      this.#fail(requestId, new PosternError('overload', `more than ${credit} requests outstanding`));
    } else {
      this.#outstanding += 1;
      void this.#answer(requestId, kind.value, deadlineMs);
    }
  }

  async #answer(requestId: number, request: EvaluateRequest, deadlineMs: number): Promise<void> {
    try {
      const verdict = await this.#options.judge.evaluate(request, deadlineMs);
      this.#write({ requestId, kind: { $case: 'verdict', value: verdict } });
    } catch (error) {
      const known = toPosternError(error);
      this.#options.onFailed(known, request);
      this.#fail(requestId, known);
    }
    this.#outstanding -= 1;
    if (this.#options.draining.aborted) this.#end();
  }

  #fail(requestId: number, error: PosternError): void {
    this.#write({ requestId, kind: { $case: 'failure', value: { errorId: error.id, detail: error.detail } } });
  }

  #notify(): void {
    const { pod, credit, draining } = this.#options;
    const value = { pod, credit, draining: draining.aborted };
    this.#write({ requestId: 0, kind: { $case: 'notice', value } });
    if (draining.aborted) this.#end();
  }

  /** After the last answer; the client ended, or the pod drains. */
  #end(): void {
    this.#ended = true;
    if (this.#outstanding === 0) this.#over.resolve();
  }

  #stop(): void {
    this.#ended = true;
    this.#over.resolve();
  }

  #write(response: SessionResponse): void {
    const stream = this.#stream;
    if (stream.cancelled || stream.destroyed) return;
    if (!stream.write(response)) stream.pause();
    if (this.#ended && this.#outstanding === 0) this.#over.resolve();
  }
}

/** Resolves when the stream is over. */
export function serveSessionStream(stream: Stream, options: SessionStreamOptions): Promise<void> {
  return new SessionStream(stream, options).run();
}
