/** Limits of messages as one pod alone decides them, its Redis being away: for tests of what a client is told. */
import type { Clock } from '@postern/clock';
import { RateLimiter } from '@postern/flow-control';
import { createMessageLimits, type MessageLimits, type MessageLimitsOptions } from '../message-limits.js';

const away = {
  run: () => Promise.reject(new Error('away')),
  ask: () => Promise.reject(new Error('away')),
  close: () => Promise.resolve(),
};

export function onePodLimits(clock: Clock, snapshot: MessageLimitsOptions['snapshot']): MessageLimits {
  return createMessageLimits({ rates: new RateLimiter({ store: away, clock, livePods: () => 1 }), snapshot });
}
