/**
 * A caller's own patience around a lookup that others may share: the lookup goes on, the caller gets
 * `timeout` or `aborted` and leaves no timer or listener behind.
 */
import type { Clock } from '@postern/clock';
import type { DnsTrouble } from './result.js';

export interface Patience {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

export function within<R>(clock: Clock, work: Promise<R>, patience: Patience): Promise<R | DnsTrouble>;
export function within<R, L>(clock: Clock, work: Promise<R>, patience: Patience, late: () => L): Promise<R | L>;
export function within<R, L>(
  clock: Clock,
  work: Promise<R>,
  { signal, deadlineMs }: Patience,
  late?: () => L,
): Promise<R | L | DnsTrouble> {
  if (signal === undefined && deadlineMs === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      leave();
      resolve({ kind: 'aborted' });
    };
    const onLate = (): void => {
      leave();
      resolve(late === undefined ? { kind: 'timeout' } : late());
    };
    const timer = deadlineMs === undefined ? undefined : clock.setTimer(Math.max(0, deadlineMs), onLate);
    signal?.addEventListener('abort', onAbort);
    work.then(
      (result) => {
        leave();
        resolve(result);
      },
      (error: unknown) => {
        leave();
        reject(error);
      },
    );
  });
}
