/**
 * What DNS answered during one evaluation, kept and given again. A question that was not asked then is asked now: a rule that is tried may look
 * further than the one it replaces. Bounded: what comes beyond the bound is not kept, and asked again in its turn.
 */
import type { Clock } from '@postern/clock';
import {
  BaseResolver,
  type DnsResult,
  packEntry,
  type QueryOptions,
  type RecordType,
  type Resolver,
  unpackEntry,
} from '@postern/dns';
import type { RecordedAnswer } from '@postern/proto/policy/v1/policy_service';

const mostAnswers = 500;
/** Entries carry a moment of expiry; those of a recording have none. */
const never = 8.64e15;

const keyOf = (name: string, type: string): string => `${type} ${name.toLowerCase()}`;

export class RecordingResolver extends BaseResolver {
  readonly answers: RecordedAnswer[] = [];
  readonly #inner: Resolver;
  readonly #seen = new Set<string>();

  constructor(inner: Resolver, clock: Clock) {
    super(clock);
    this.#inner = inner;
  }

  async query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    const result = await this.#inner.query(name, type, options);
    const key = keyOf(name, type);
    if (!this.#seen.has(key) && this.answers.length < mostAnswers) {
      this.#seen.add(key);
      this.answers.push(recorded(name, type, result));
    }
    return result;
  }
}

function recorded<T extends RecordType>(name: string, type: T, result: DnsResult<T>): RecordedAnswer {
  const { kind } = result;
  const reason = 'reason' in result ? result.reason : '';
  const isKept = result.kind === 'answer' || result.kind === 'nodata' || result.kind === 'nxdomain';
  const packet = isKept ? Buffer.from(packEntry(result, name, type, never)) : Buffer.alloc(0);
  return { name, type, kind, reason, packet };
}

export class ReplayingResolver extends BaseResolver {
  readonly #inner: Resolver;
  readonly #answers: ReadonlyMap<string, RecordedAnswer>;

  constructor(inner: Resolver, clock: Clock, answers: readonly RecordedAnswer[]) {
    super(clock);
    this.#inner = inner;
    this.#answers = new Map(answers.map((answer) => [keyOf(answer.name, answer.type), answer]));
  }

  async query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    const answer = this.#answers.get(keyOf(name, type));
    const result = answer === undefined ? undefined : replayed(answer, type);
    return result ?? this.#inner.query(name, type, options);
  }
}

function replayed<T extends RecordType>({ kind, reason, packet }: RecordedAnswer, type: T): DnsResult<T> | undefined {
  switch (kind) {
    case 'servfail':
    case 'unreachable':
      return { kind, reason };
    case 'refused':
    case 'timeout':
    case 'aborted':
    case 'invalid':
      return { kind };
    default:
      return unpackEntry(packet, type, 0);
  }
}
