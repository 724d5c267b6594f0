/** What is parked, over gRPC: list, look, retry, drop. What each of them does is in `../parked/`. */
import { PosternError } from '@postern/errors';
import { unary } from '@postern/grpc';
import type {
  DropParkedRequest,
  GetParkedRequest,
  ListParkedRequest,
  RetryParkedRequest,
} from '@postern/proto/queue/v1/queue_service';
import { dropParked } from '../parked/drop.js';
import { factsOf } from '../parked/facts.js';
import { unitsOf } from '../parked/message.js';
import { retryParked } from '../parked/retry.js';
import { lockRecipients, unitKey } from '../store/recipients.js';
import { scopeFor, stored } from './scope.js';
import type { OperationParts } from './service.js';

const defaultPage = 100;
const largestPage = 1_000;
const recipientsListed = 5;
const recipientsShown = 1_000;

function readToken(token: string): number {
  if (token === '') return 0;
  if (!/^[1-9]\d{0,14}$/.test(token)) throw new PosternError('invalid-argument', 'page_token: not one of ours');
  return Number(token);
}

export function parkedMethods({ clock, log, parked }: OperationParts) {
  return {
    listParked: unary((request: ListParkedRequest, context) =>
      stored(async () => {
        const scope = scopeFor(context, request.tenant);
        const size = Math.min(request.pageSize || defaultPage, largestPage);
        const { found, next } = await parked().shelf.page(scope, readToken(request.pageToken), size);
        return {
          messages: found.map((one) => factsOf(one, recipientsListed, () => '')),
          nextPageToken: next === 0 ? '' : String(next),
        };
      }),
    ),
    getParked: unary((request: GetParkedRequest, context) =>
      stored(async () => {
        const { shelf, database } = parked();
        const found = await shelf.find(scopeFor(context, request.tenant), request.id);
        const units = unitsOf(found.content).slice(0, recipientsShown);
        const known = await database.service((transaction) => lockRecipients(transaction, units));
        const message = factsOf(
          found,
          recipientsShown,
          ({ queueId, recipient }) => known.get(unitKey(queueId, recipient))?.state ?? 'unknown',
        );
        return { message };
      }),
    ),
    retryParked: unary((request: RetryParkedRequest, context) =>
      stored(async () => {
        const scope = scopeFor(context, request.tenant);
        const done = await retryParked(parked(), scope, request, clock.now());
        const { id, actor, reason } = request;
        log.info('queue.parked.retried', { parked: id, actor, reason, ...done });
        return done;
      }),
    ),
    dropParked: unary((request: DropParkedRequest, context) =>
      stored(async () => {
        const scope = scopeFor(context, request.tenant);
        const done = await dropParked(parked(), scope, request, clock.now());
        const { id, actor, reason, bounce } = request;
        log.info('queue.parked.dropped', { parked: id, actor, reason, bounce, ...done });
        return { recipients: done.recipients, unreported: done.unreported };
      }),
    ),
  };
}
