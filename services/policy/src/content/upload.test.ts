import { ContentRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { Judge } from '../judge.js';
import { readUpload } from './upload.js';

function judging(onWrite: () => void = () => undefined) {
  const done: string[] = [];
  const judge: Judge = {
    inFlight: 0,
    evaluate: () => Promise.reject(new Error('not asked')),
    open: () => ({
      write: (chunk) => {
        done.push(`write ${chunk.length}`);
        onWrite();
        return undefined;
      },
      drop: () => done.push('drop'),
      finish: (size, deadlineMs) => {
        done.push(`finish ${size}`, `within ${deadlineMs}`);
        return Promise.resolve(EvaluateResponse.fromPartial({ pod: 'p' }));
      },
    }),
  };
  return { judge, done };
}

const start = ContentRequest.fromPartial({ kind: { $case: 'start', value: {} } });
const chunk = ContentRequest.fromPartial({ kind: { $case: 'chunk', value: Buffer.from('abc') } });
const end = ContentRequest.fromPartial({ kind: { $case: 'end', value: { size: 3 } } });

/** All there at once, as from a socket that is ahead. */
async function* ready(...requests: readonly ContentRequest[]): AsyncGenerator<ContentRequest> {
  yield* requests;
}

const read = (judge: Judge, ...requests: readonly ContentRequest[]) =>
  readUpload(
    judge,
    ready(...requests),
    () => undefined,
    () => 1_000,
  );

test('others have a turn between two chunks, however many are ready', async () => {
  let turns = 0;
  const seen: number[] = [];
  const { judge, done } = judging(() => {
    seen.push(turns);
    setImmediate(() => turns++);
  });
  expect((await read(judge, start, chunk, chunk, chunk, end)).pod).toBe('p');
  expect(seen).toEqual([0, 1, 2]);
  expect(done).toEqual(['write 3', 'write 3', 'write 3', 'finish 3', 'within 1000']);
});

test.each([
  [0, 1_000],
  [300, 300],
  [5_000, 1_000],
])('an edge that waits for %i ms of the time of the call has its verdict within %i', async (deadlineMs, expected) => {
  const { judge, done } = judging();
  const last = ContentRequest.fromPartial({ kind: { $case: 'end', value: { size: 3, deadlineMs } } });
  await read(judge, start, chunk, last);
  expect(done.at(-1)).toBe(`within ${expected}`);
});

test.each([
  ['ends without its end', [start, chunk], /ended without its end/],
  ['starts twice', [start, start], /started twice/],
  ['has no start', [chunk], /before its start/],
  ['says nothing', [start, ContentRequest.fromPartial({})], /without a kind/],
])('an upload that %s is refused, and what was begun is dropped', async (_what, requests, reason) => {
  const { judge, done } = judging();
  await expect(read(judge, ...requests)).rejects.toThrow(reason);
  expect(done.at(-1)).toBe(requests[0] === start ? 'drop' : undefined);
});
