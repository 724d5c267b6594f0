/**
 * The content RPC of one message larger than the inline limit (design.md, step 4): start, chunks with the stream's own flow control, end.
 * A stream that breaks makes the answer `unavailable`; the bytes already spooled are then worth nothing and the client hears 451.
 * Nor may policy be silent for long: what the client takes to send is the client's time, with its own deadline.
 * A client chooses how it cuts its bytes, and a chunk costs policy much more than its octets: small pieces go together.
 */
import type { Clock } from '@postern/clock';
import type { ContentRequest, ContentResponse, EvaluateRequest } from '@postern/proto/policy/v1/policy_service';
import { HeldBytes } from './held-bytes.js';
import type { ContentExchange, ContentPatience, PolicyAnswer } from './policy-port.js';

/** What is used of a pod. */
export interface ContentPod {
  upload(deadlineMs: number): {
    readonly stream: {
      write(request: ContentRequest): boolean;
      end(): unknown;
      once(event: 'drain', listener: () => void): unknown;
      cancel(): void;
    };
    readonly response: Promise<ContentResponse>;
  };
}

/** Largest chunk message. */
const chunkBytes = 256 * 1024;
/** Smallest but the last. */
const leastChunk = 16 * 1024;

export function contentExchange(
  pod: ContentPod,
  request: EvaluateRequest,
  { uploadMs, silenceMs }: ContentPatience,
  clock: Clock,
): ContentExchange {
  const { stream, response } = pod.upload(uploadMs + silenceMs);
  let broken = false;
  let isLate = false;
  const answer: Promise<PolicyAnswer> = response.then(
    ({ verdict }) =>
      verdict === undefined
        ? { kind: 'unavailable', reason: 'answer without a verdict' }
        : { kind: 'verdict', verdict },
    (error: unknown) => {
      broken = true;
      if (isLate) return { kind: 'unavailable', reason: `no answer in ${silenceMs / 1_000} s` };
      return { kind: 'unavailable', reason: error instanceof Error ? error.message : String(error) };
    },
  );
  const inTime = async <T>(work: Promise<T>): Promise<T> => {
    const timer = clock.setTimer(silenceMs, () => {
      isLate = true;
      stream.cancel();
    });
    try {
      return await work;
    } finally {
      timer.cancel();
    }
  };
  stream.write({ kind: { $case: 'start', value: request } });
  const small = new HeldBytes(leastChunk);
  const send = (content: Buffer): boolean => {
    let hasRoom = true;
    for (let at = 0; at < content.length; at += chunkBytes)
      hasRoom = stream.write({ kind: { $case: 'chunk', value: content.subarray(at, at + chunkBytes) } });
    return hasRoom;
  };
  const sendHeld = (): boolean => {
    const held = small.whole();
    small.clear();
    return send(held);
  };
  return {
    write(content) {
      if (broken) return undefined;
      let hasRoom = true;
      if (small.size > 0 || content.length < leastChunk) {
        small.add(content);
        if (small.size >= leastChunk) hasRoom = sendHeld();
      } else hasRoom = send(content);
      if (hasRoom) return undefined;
      // An answer may come before all was sent (a refusal, a failure): then there is nothing to wait for.
      return inTime(
        Promise.race([
          new Promise<void>((resolve) => stream.once('drain', () => resolve())),
          answer.then(() => undefined),
        ]),
      );
    },
    finish(size) {
      if (broken) return answer;
      sendHeld();
      stream.write({ kind: { $case: 'end', value: { size, deadlineMs: silenceMs } } });
      stream.end();
      return inTime(answer);
    },
    cancel() {
      stream.cancel();
    },
  };
}
