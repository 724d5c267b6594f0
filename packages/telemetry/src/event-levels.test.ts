import { expect, test } from 'vitest';
import { eventLevels } from './event-levels.js';

const levelsOf = eventLevels([
  `log.warn('a.b.lost', { reason });\n  this.#telemetry.log.error(\n    'a.b.broken',\n  );`,
  "log.info(isOpen ? 'a.pod.opened' : 'a.pod.closed', { address });",
  "log[wanted ? 'info' : 'error']('a.worker.ended', { pid });",
  "const level = kind === 'local' ? 'warn' : 'info';\nlog[level]('a.limits.changed', {});\nlog.debug('a.limits.changed');",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a source text
  'log.info(`a.attempt.${outcome}`, {});',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a source text
  "record({ event: 'a.unit.operated' }, { event: `a.part.${state}` });",
  "this.#bounded('a.drain.expired', 5);\nlog.warn(event, {}); log.error(event, { error });",
]);

test.each([
  ['a.b.lost', ['warn']],
  ['a.b.broken', ['error']],
  ['a.pod.closed', ['info']],
  ['a.worker.ended', ['info', 'error']],
  ['a.limits.changed', ['debug', 'info', 'warn']],
  ['a.attempt.deferred', ['info']],
  ['a.unit.operated', ['trace only']],
  ['a.part.held', ['trace only']],
  ['a.drain.expired', ['warn', 'error']],
  ['a.never.told', []],
])('%s is told at %j', (event, levels) => {
  expect(levelsOf(event)).toEqual(levels);
});
