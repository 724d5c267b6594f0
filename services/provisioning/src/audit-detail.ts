/** What an audited change was about, short enough to be read and kept: lists by their beginning, texts cut. Never a password. Pure. */
import { type OperateRequest, Operation } from '@postern/proto/queue/v1/queue_service';
import type { StoredHost } from './snapshot/compile.js';

const mostListed = 20;
const longestText = 320;
const longestReason = 200;

export function listed(values: readonly string[]): string[] {
  const shown = values.slice(0, mostListed).map((value) => value.slice(0, longestText));
  return values.length > mostListed ? [...shown, `and ${values.length - mostListed} more`] : shown;
}

const operations: Readonly<Record<Operation, string>> = {
  [Operation.UNSPECIFIED]: 'none',
  [Operation.RETRY]: 'retry',
  [Operation.HOLD]: 'hold',
  [Operation.RELEASE]: 'release',
  [Operation.BOUNCE]: 'bounce',
  [Operation.DELETE]: 'delete',
  [Operation.UNRECOGNIZED]: 'unknown',
};

/** Only what was asked for. */
export function operatedOn({ operation, selection, reason }: OperateRequest): Record<string, unknown> {
  const { queueIds = [], domain, lane, recipient, reversePath, state, olderThanMs = 0, all } = selection ?? {};
  const texts = Object.entries({ domain, lane, recipient, sender: reversePath, state })
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value = '']) => [name, value.slice(0, longestText)] as const);
  return {
    operation: operations[operation],
    ...(queueIds.length === 0 ? {} : { queueIds: listed(queueIds) }),
    ...Object.fromEntries(texts),
    ...(olderThanMs > 0 ? { olderThanMs } : {}),
    ...(all === true ? { all } : {}),
    ...(reason === '' ? {} : { reason: reason.slice(0, longestReason) }),
  };
}

/** The one message it was about; else the queue. */
export const operatedResource = ({ selection }: OperateRequest): string => {
  const [only, another] = selection?.queueIds ?? [];
  return only !== undefined && another === undefined ? only.slice(0, longestText) : 'queue';
};

/** Without passwords; a login by its name. */
export const hostsTold = (hosts: readonly StoredHost[]): string[] =>
  listed(
    hosts.map(
      ({ host, port, protocol, tls, username }) =>
        `${protocol}://${host}:${port} tls ${tls}${username === '' ? '' : ` as ${username}`}`,
    ),
  );
