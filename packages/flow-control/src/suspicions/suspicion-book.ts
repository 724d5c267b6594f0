/**
 * Signs that the network in front of a listener is not as its settings say, as all pods saw them: noted once a minute while they last, forgotten ten
 * minutes after. A bounded list for people; nothing is decided by it.
 */
import type { LimitStore } from '../limit-store.js';
import { NOW, script } from '../scripts.js';

export interface SeenSuspicion {
  readonly listener: string;
  readonly kind: string;
  /** Who it was seen of. */
  readonly address: string;
  /** Milliseconds since it was seen last. */
  readonly ageMs: number;
}

const keys = ['{postern:flow:suspicions}:seen'];
const keepMs = 600_000;
const mostKept = 200;

/** ARGV: what was seen, how long it is kept, how many are. */
const NOTE = script(
  'note',
  NOW,
  `
redis.call('ZADD', KEYS[1], string.format('%d', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - ARGV[2]))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(ARGV[3] + 1))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1}`,
);

/** What was seen and how many milliseconds ago, newest first. ARGV: how long it counts. */
const SEEN = script(
  'seen',
  NOW,
  `
local found = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%d', now - ARGV[1]), '+inf')
local answer = {}
for index = #found, 1, -1 do
  answer[#answer + 1] = found[index]
  answer[#answer + 1] = now - redis.call('ZSCORE', KEYS[1], found[index])
end
return answer`,
);

function parsed(text: unknown, ageMs: unknown): SeenSuspicion[] {
  const parts: unknown = typeof text === 'string' ? JSON.parse(text) : undefined;
  if (!Array.isArray(parts)) return [];
  const [listener, kind, address]: unknown[] = parts;
  if (typeof listener !== 'string' || typeof kind !== 'string' || typeof address !== 'string') return [];
  return [{ listener, kind, address, ageMs: Math.max(0, Number(ageMs)) }];
}

export class SuspicionBook {
  readonly #store: LimitStore;

  constructor(store: LimitStore) {
    this.#store = store;
  }

  async note(listener: string, kind: string, address: string): Promise<void> {
    await this.#store.run(NOTE, keys, [JSON.stringify([listener, kind, address]), keepMs, mostKept]);
  }

  async list(): Promise<readonly SeenSuspicion[]> {
    const answer = await this.#store.ask(SEEN, keys, [keepMs]);
    const parts: unknown[] = Array.isArray(answer) ? answer : [];
    return parts.flatMap((text, at) => (at % 2 === 0 ? parsed(text, parts[at + 1]) : []));
  }
}
