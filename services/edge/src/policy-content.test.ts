/** Whose time it is while a large message goes to policy: the client's while it sends, policy's while we wait for it. */
import { FakeClock } from '@postern/clock';
import { type ContentRequest, type ContentResponse, EvaluateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { contentExchange } from './policy-content.js';

const patience = { uploadMs: 3_600_000, silenceMs: 600_000 };
const chunk = Buffer.alloc(32 * 1024);

function upload() {
  const clock = new FakeClock();
  const sent: ContentRequest[] = [];
  const response = Promise.withResolvers<ContentResponse>();
  const pod = { deadlineMs: 0, hasRoom: true, isCancelled: false, drain: (): void => undefined };
  const stream = {
    write: (request: ContentRequest) => {
      sent.push(request);
      return pod.hasRoom;
    },
    end: () => undefined,
    once: (_event: 'drain', listener: () => void) => (pod.drain = listener),
    cancel: () => {
      pod.isCancelled = true;
      response.reject(new Error('cancelled'));
    },
  };
  const opened = {
    upload: (deadlineMs: number) => {
      pod.deadlineMs = deadlineMs;
      return { stream, response: response.promise };
    },
  };
  const exchange = contentExchange(opened, EvaluateRequest.fromPartial({ sessionId: 's' }), patience, clock);
  const answer = (): void => response.resolve({ verdict: undefined });
  return { clock, sent, pod, exchange, answer };
}

const late = { kind: 'unavailable', reason: 'no answer in 600 s' };

test('a client may be as slow as its own deadline lets it', async () => {
  const { clock, sent, pod, exchange, answer } = upload();
  expect(pod.deadlineMs).toBe(4_200_000);
  for (let minute = 0; minute < 50; minute++) {
    expect(exchange.write(chunk)).toBeUndefined();
    await clock.advance(60_000);
  }
  expect(clock.pendingTimers).toBe(0);
  const verdict = exchange.finish(50 * chunk.length);
  expect(sent.at(-1)?.kind).toEqual({ $case: 'end', value: { size: 50 * chunk.length, deadlineMs: 600_000 } });
  await clock.advance(599_000);
  answer();
  expect(await verdict).toEqual({ kind: 'unavailable', reason: 'answer without a verdict' });
  expect(pod.isCancelled).toBe(false);
  expect(clock.pendingTimers).toBe(0);
});

test('policy is not waited for longer than its silence, once all was sent', async () => {
  const { clock, pod, exchange } = upload();
  void exchange.write(chunk);
  const verdict = exchange.finish(chunk.length);
  await clock.advance(600_000);
  expect(await verdict).toEqual(late);
  expect(pod.isCancelled).toBe(true);
});

test('nor while it takes nothing more; each piece it takes begins its time anew', async () => {
  const { clock, pod, exchange } = upload();
  pod.hasRoom = false;
  for (let piece = 0; piece < 3; piece++) {
    const room = exchange.write(chunk);
    await clock.advance(500_000);
    pod.drain();
    await room;
  }
  expect(pod.isCancelled).toBe(false);
  const room = exchange.write(chunk);
  await clock.advance(600_000);
  await room;
  expect(pod.isCancelled).toBe(true);
  expect(exchange.write(chunk)).toBeUndefined();
  expect(await exchange.finish(5 * chunk.length)).toEqual(late);
});
