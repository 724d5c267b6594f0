/**
 * Checks whose timeout is longer than a pod waits for a verdict (`edge.policy.deadline`): they are cut short, which is told before a start. Their declared
 * fallback is what counts then; mail is not put off because of it. Pure.
 */
import { type CheckName, defaultSettings } from '@postern/check-settings';
import { formatDuration } from '@postern/config';

export interface WrittenCheck {
  /** As the operator file has them; undefined = the default. */
  readonly enabled: boolean | undefined;
  readonly timeoutMs: number | undefined;
}

export interface HurriedCheck {
  readonly check: CheckName;
  /** Completes the name of the check's `timeout`. */
  readonly message: string;
}

const defaults = defaultSettings();
const names: readonly string[] = Object.keys(defaults);
const isName = (name: string): name is CheckName => names.includes(name);

export function hurriedChecks(deadlineMs: number, written: (check: CheckName) => WrittenCheck): HurriedCheck[] {
  return names.filter(isName).flatMap((check) => {
    const { enabled = defaults[check].enabled, timeoutMs = defaults[check].timeout } = written(check);
    if (!enabled || timeoutMs <= deadlineMs) return [];
    const [own, whole] = [formatDuration(timeoutMs), formatDuration(deadlineMs)];
    return [
      {
        check,
        message: `is ${own}, but verdicts are waited for ${whole} (edge.policy.deadline): it is cut short to that`,
      },
    ];
  });
}
