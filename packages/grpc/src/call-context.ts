/**
 * What a handler knows of its call besides the request. The signal is made on first use, so calls that do not wait
 * for anything do not pay for it; grpc-js cancels the call at its deadline, which aborts the signal.
 */
import type { EventEmitter } from 'node:events';
import { PosternError } from '@postern/errors';
import type { Metadata } from './grpc-js.js';
import { scopeOf } from './require-scope.js';
import { coversTenant, type Scope } from './scope.js';

export interface IncomingCall extends EventEmitter {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
}

export class CallContext {
  readonly #call: IncomingCall;
  #signal: AbortSignal | undefined;

  constructor(call: IncomingCall) {
    this.#call = call;
  }

  get metadata(): Metadata {
    return this.#call.metadata;
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  /** Milliseconds since 1970; Infinity when the caller set none. */
  get deadline(): number {
    return Number(this.#call.getDeadline());
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  /** Aborted when the caller goes away or the deadline passes. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const controller = new AbortController();
    const abort = (): void => controller.abort(new PosternError('cancelled', 'the call ended'));
    if (this.#call.cancelled) abort();
    else this.#call.once('cancelled', abort);
    this.#signal = controller.signal;
    return this.#signal;
  }

  /** The verified scope; throws `unauthenticated` when the server does not require one. */
  get scope(): Scope {
    const scope = scopeOf(this.#call.metadata);
    if (scope === undefined) throw new PosternError('unauthenticated', 'no scope came with the call');
    return scope;
  }

  /** Throws `permission-denied` unless the scope covers the tenant. */
  assertTenant(tenant: string): void {
    if (!coversTenant(this.scope, tenant))
      throw new PosternError('permission-denied', 'the scope is for another tenant');
  }
}
