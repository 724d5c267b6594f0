/** Mail that waits for what is about to be deleted. A queue that does not answer keeps nothing from being deleted: then that is told instead. */
import type { Api } from './api.js';

export interface WaitingMail {
  /** Some is known to wait. */
  readonly waits: boolean;
  /** Empty = none waits. */
  readonly count: string;
}

const mostCounted = 1_000;

/** Mail in its first attempt is not among it: that goes on as it began. */
export async function waitingMail(
  { call, rpc }: Api,
  {
    tenant = '',
    domain = '',
    lane = '',
  }: { readonly tenant?: string; readonly domain?: string; readonly lane?: string },
): Promise<WaitingMail> {
  const only = { queueIds: [], recipient: '', reversePath: '', state: '', olderThanMs: 0, all: false };
  const query = { tenant, selection: { ...only, domain, lane }, pageSize: mostCounted, pageToken: '' };
  const page = await call(rpc.listQueue, { query }).catch(() => undefined);
  if (page === undefined) return { waits: false, count: 'not known, since the queue does not answer' };
  const messages = new Set(page.result?.items.map(({ queueId }) => queueId)).size;
  if (messages === 0) return { waits: false, count: '' };
  const more = page.result?.nextPageToken === '' ? '' : 'at least ';
  return { waits: true, count: `${more}${messages} ${messages === 1 ? 'message' : 'messages'}` };
}
