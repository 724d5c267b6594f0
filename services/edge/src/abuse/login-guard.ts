/**
 * Guessing passwords is made slow (row D5): the answer to a failed login comes later with every failure of the account, over all pods, and
 * beyond the limit an address the account never logged in from hears 454 without being heard. Whether the account exists makes no difference.
 * Trusted clients are answered at once, and their failures counted apart: they bar nobody who comes from elsewhere.
 */
import type { Clock } from '@postern/clock';
import { type AttemptLimit, clientPrefix, type LoginAttempts } from '@postern/flow-control';
import type { CredentialAnswer, CredentialPort } from '../credentials.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';

export interface LoginGuardOptions {
  readonly attempts: Pick<LoginAttempts, 'isOpen' | 'failed' | 'succeeded'>;
  readonly snapshot: () => CompiledSnapshot | undefined;
  readonly clock: Clock;
  readonly onBarred: () => void;
  /** The answer to a failed login comes so much later. */
  readonly onDelayed: (seconds: number) => void;
}

const unheard: CredentialAnswer = {
  kind: 'unavailable',
  reason: 'too many failed logins of this account',
  limit: 'failed_logins_per_account',
};

export function withLoginGuard(credentials: CredentialPort, options: LoginGuardOptions): CredentialPort {
  const { attempts, snapshot, clock, onBarred, onDelayed } = options;
  return {
    material: (username, mechanism, sessionId) => credentials.material(username, mechanism, sessionId),
    standing: (username, sessionId) => credentials.standing(username, sessionId),
    async verify(question) {
      const now = snapshot();
      if (now === undefined) return credentials.verify(question);
      const { errorControl: control } = now;
      const limit: AttemptLimit = { limit: control.failedLoginsPerAccount, windowMs: control.intervalMs };
      const prefix = clientPrefix(question.clientAddress, now.ipv6Prefix);
      const { username, isTrusted = false } = question;
      const origin = isTrusted ? 'trusted' : 'anyone';
      if (!(await attempts.isOpen(username, prefix, limit, origin))) {
        onBarred();
        return unheard;
      }
      const answer = await credentials.verify(question);
      if (answer.kind === 'verified') void attempts.succeeded(username, prefix, origin);
      if (answer.kind !== 'denied') return answer;
      const failures = control.failedLoginsPerAccount === 0 ? 1 : await attempts.failed(username, limit, origin);
      if (isTrusted) return answer;
      const delayMs = Math.min(control.longestLoginDelayMs, control.loginDelayMs * 2 ** Math.min(failures - 1, 30));
      if (delayMs > 0) {
        onDelayed(delayMs / 1_000);
        await clock.sleep(delayMs);
      }
      return answer;
    },
  };
}
