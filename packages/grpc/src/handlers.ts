/**
 * From promise-style functions to grpc-js handlers, one per shape of call. What is thrown becomes the status;
 * anything but a PosternError is `internal` to the caller, its cause goes to the log only.
 */
import { PosternError } from '@postern/errors';
import { CallContext } from './call-context.js';
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerDuplexStream,
  ServerReadableStream,
  ServerWritableStream,
} from './grpc-js.js';
import { type ErrorStatus, statusOf } from './status.js';

export function unary<Q, R>(handle: (request: Q, context: CallContext) => Promise<R> | R): handleUnaryCall<Q, R> {
  return async (call, callback) => {
    const context = new CallContext(call);
    const outcome = await settle(context, () => handle(call.request, context));
    if ('failure' in outcome) callback(outcome.failure);
    else callback(null, outcome.value);
  };
}

/** `requests` is read with `for await`; leaving the loop early stops the client. */
export function clientStreaming<Q, R>(
  handle: (requests: AsyncIterable<Q>, context: CallContext) => Promise<R>,
): handleClientStreamingCall<Q, R> {
  return async (call: ServerReadableStream<Q, R>, callback) => {
    const context = new CallContext(call);
    const outcome = await settle(context, () => handle(call, context));
    if ('failure' in outcome) callback(outcome.failure);
    else callback(null, outcome.value);
  };
}

/** `send` resolves when the transport takes more; it rejects when the client has gone. */
export function serverStreaming<Q, R>(
  handle: (request: Q, send: (response: R) => Promise<void>, context: CallContext) => Promise<void>,
): handleServerStreamingCall<Q, R> {
  return async (call) => {
    const context = new CallContext(call);
    const outcome = await settle(context, () => handle(call.request, (response) => send(call, response), context));
    finish(call, outcome);
  };
}

/** The raw stream, for protocols with their own ids and flow: resolve to end it, throw to fail it. */
export function bidirectional<Q, R>(
  handle: (stream: ServerDuplexStream<Q, R>, context: CallContext) => Promise<void>,
): handleBidiStreamingCall<Q, R> {
  return async (call) => {
    const context = new CallContext(call);
    const outcome = await settle(context, () => handle(call, context));
    finish(call, outcome);
  };
}

type Settled<T> = { readonly value: T } | { readonly failure: ErrorStatus };

async function settle<T>(context: CallContext, work: () => Promise<T> | T): Promise<Settled<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    const gone = context.cancelled ? new PosternError('cancelled', 'the call ended', { cause: error }) : error;
    return { failure: statusOf(gone) };
  }
}

function finish<Q, R>(call: ServerWritableStream<Q, R> | ServerDuplexStream<Q, R>, outcome: Settled<void>): void {
  if ('failure' in outcome) call.emit('error', outcome.failure);
  else call.end();
}

function send<Q, R>(call: ServerWritableStream<Q, R>, response: R): Promise<void> {
  return new Promise((resolve, reject) => {
    if (call.cancelled) {
      reject(new PosternError('cancelled', 'the call ended'));
      return;
    }
    if (call.write(response)) {
      resolve();
      return;
    }
    const go = (): void => {
      call.off('cancelled', stop);
      resolve();
    };
    const stop = (): void => {
      call.off('drain', go);
      reject(new PosternError('cancelled', 'the call ended'));
    };
    call.once('drain', go);
    call.once('cancelled', stop);
  });
}
