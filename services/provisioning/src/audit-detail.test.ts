/** What an audited operation on the queue tells. */
import { OperateRequest, Operation } from '@postern/proto/queue/v1/queue_service';
import { expect, test } from 'vitest';
import { operatedOn, operatedResource } from './audit-detail.js';

const ids = Array.from({ length: 25 }, (_, index) => `01ID${index}`);

test.each<[string, OperateRequest, object, string]>([
  [
    'one message',
    OperateRequest.fromPartial({ operation: Operation.HOLD, selection: { queueIds: ['01A'] }, reason: 'spam?' }),
    { operation: 'hold', queueIds: ['01A'], reason: 'spam?' },
    '01A',
  ],
  [
    'many',
    OperateRequest.fromPartial({ operation: Operation.DELETE, selection: { queueIds: ids } }),
    { operation: 'delete', queueIds: [...ids.slice(0, 20), 'and 5 more'] },
    'queue',
  ],
  [
    'a selection',
    OperateRequest.fromPartial({
      operation: Operation.BOUNCE,
      selection: { domain: 'far.test', reversePath: 'a@b.test', state: 'deferred', olderThanMs: 5 },
    }),
    { operation: 'bounce', domain: 'far.test', sender: 'a@b.test', state: 'deferred', olderThanMs: 5 },
    'queue',
  ],
  [
    'all',
    OperateRequest.fromPartial({ operation: Operation.RETRY, selection: { all: true } }),
    { operation: 'retry', all: true },
    'queue',
  ],
  [
    'a long reason',
    OperateRequest.fromPartial({
      operation: Operation.RELEASE,
      selection: { lane: 'main' },
      reason: 'x'.repeat(1_000),
    }),
    { operation: 'release', lane: 'main', reason: 'x'.repeat(200) },
    'queue',
  ],
])('%s', (_what, query, detail, resource) => {
  expect(operatedOn(query)).toEqual(detail);
  expect(operatedResource(query)).toBe(resource);
});
