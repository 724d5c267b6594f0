/**
 * One upload, from its start to its verdict. Between two chunks everybody else has a turn: what a socket has ready is some megabytes, and working
 * them off in one go would hold up small messages. What breaks off is dropped.
 */
import { PosternError } from '@postern/errors';
import type { ContentRequest, EvaluateRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import type { Judge } from '../judge.js';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function readUpload(
  judge: Judge,
  requests: AsyncIterable<ContentRequest>,
  onStart: (start: EvaluateRequest) => void,
  remaining: () => number,
): Promise<EvaluateResponse> {
  let session: ReturnType<Judge['open']> | undefined;
  try {
    for await (const { kind } of requests) {
      if (kind === undefined) throw new PosternError('invalid-argument', 'content request without a kind');
      if (kind.$case === 'start') {
        if (session !== undefined) throw new PosternError('invalid-argument', 'content was started twice');
        onStart(kind.value);
        session = judge.open(kind.value);
      } else if (session === undefined) throw new PosternError('invalid-argument', 'content before its start');
      else if (kind.$case === 'chunk') {
        await session.write(kind.value);
        await nextTurn();
      } else {
        // The call has the time of the upload too: that is over.
        const { size, deadlineMs } = kind.value;
        return await session.finish(size, deadlineMs === 0 ? remaining() : Math.min(remaining(), deadlineMs));
      }
    }
  } catch (error) {
    session?.drop();
    throw error;
  }
  session?.drop();
  throw new PosternError('cancelled', 'content ended without its end');
}
