/**
 * A check that is set up and off: most are off unless `enabled` says otherwise, and whoever gives lists or what shall follow means it to run. A note, since a
 * tenant or a rule (`run`) may switch it on. Pure.
 */
import type { Fault, FieldPath } from '@postern/config';
import type { OperatorDocument } from './schema.js';

/** `isWritten`: a person wrote it, it is no default. One who wrote `enabled: false` knows. */
export function checkNotes({ checks }: OperatorDocument, isWritten: (path: FieldPath) => boolean): Fault[] {
  return Object.entries(checks).flatMap(([name, settings]): Fault[] => {
    if (settings.enabled || !isWritten(['checks', name]) || isWritten(['checks', name, 'enabled'])) return [];
    const message =
      'is set up and off: enabled is false unless it is written; expected enabled: true, or a rule or tenant that switches it on';
    return [{ path: ['checks', name], message }];
  });
}
