/**
 * Logins verified in the last hour go on while provisioning is away (design.md, Trust). Kept is a digest of login and password under a key of
 * this process; it is asked only when the service cannot be. A denial forgets at once. Bounded; the oldest goes first.
 */
import { createHmac } from 'node:crypto';
import type { Clock, Random } from '@postern/clock';
import type { CredentialAnswer, CredentialPort, CredentialQuestion } from './credentials.js';

interface Entry {
  readonly user: string;
  readonly tenant: string;
  readonly untilMs: number;
}

export interface LoginCacheOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** 0 = off. */
  readonly keepMs: number;
}

const capacity = 50_000;

/** `asked` with the cache behind it. */
export function withLoginCache(asked: CredentialPort, options: LoginCacheOptions): CredentialPort {
  const { clock, keepMs } = options;
  const key = options.random.bytes(32);
  const entries = new Map<string, Entry>();
  const digest = (question: CredentialQuestion): string | undefined => {
    const { password } = question.parameters;
    if (password === undefined) return undefined;
    return createHmac('sha256', key).update(question.username).update('\0').update(password).digest('base64');
  };
  const remember = (id: string, user: string, tenant: string): void => {
    entries.delete(id);
    entries.set(id, { user, tenant, untilMs: clock.monotonic() + keepMs });
    const [oldest] = entries.keys();
    if (entries.size > capacity && oldest !== undefined) entries.delete(oldest);
  };
  const recall = (id: string): CredentialAnswer | undefined => {
    const entry = entries.get(id);
    if (entry === undefined || entry.untilMs < clock.monotonic()) return undefined;
    return { kind: 'verified', user: entry.user, tenant: entry.tenant, cached: true };
  };
  return {
    material: (username, mechanism, sessionId) => asked.material(username, mechanism, sessionId),
    standing: (username, sessionId) => asked.standing(username, sessionId),
    async verify(question) {
      const answer = await asked.verify(question);
      const id = keepMs === 0 ? undefined : digest(question);
      if (id === undefined) return answer;
      if (answer.kind === 'verified') remember(id, answer.user, answer.tenant);
      else if (answer.kind === 'denied') entries.delete(id);
      else return recall(id) ?? answer;
      return answer;
    },
  };
}
