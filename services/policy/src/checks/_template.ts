/**
 * <name>: the question this check answers, in one sentence, with its RFC section. It does not decide the action; `actions.ts` does.
 * A new check: copy this file, add a test beside it, its settings to `@postern/check-settings`, itself to `checks/index.ts`, and what its
 * failing outcomes say to `refusals.ts`.
 */
import type { CheckDefinition } from '../check.js';

export const template: Omit<CheckDefinition, 'name' | 'settings'> = {
  doc: 'The question, in one sentence.',
  stage: 'connect',
  outcomes: ['good', 'bad', 'temperror'],
  late: () => 'temperror',
  timeoutMs: 2_000,
  applies: ({ isOutsider }) => isOutsider,
  async evaluate({ resolver, deadlineMs }, { origin }) {
    const names = await resolver.ptr(origin.clientAddress, { deadlineMs });
    if (names.kind === 'answer') return [{ outcome: 'good', evidence: { name: names.values[0] ?? '' } }];
    return [{ outcome: names.kind === 'nxdomain' ? 'bad' : 'temperror', evidence: {} }];
  },
};
