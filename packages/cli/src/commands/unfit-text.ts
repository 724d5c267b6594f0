/** Of mail that was named by its queue id and is in a state the operation does not fit: which, and what to do instead, one line for each state. */
import { Operation } from '@postern/proto/queue/v1/queue_service';
import { printable } from '../output.js';

const release = '`posternctl queue release` lets it go on';
const attempt = 'an attempt is under way, try again when it has ended';

const insteadOf: Partial<Record<Operation, Readonly<Record<string, string>>>> = {
  [Operation.RETRY]: {
    held: release,
    quarantined: release,
    ready: 'it goes out as soon as there is room',
    dispatched: 'an attempt is under way',
  },
  [Operation.HOLD]: { held: 'already', quarantined: `it waits for a person as it is, ${release}` },
  [Operation.RELEASE]: {
    deferred: 'it is not held; `posternctl queue retry` tries it now',
    ready: 'it is not held and goes out as soon as there is room',
    dispatched: 'it is not held, an attempt is under way',
  },
  [Operation.BOUNCE]: { dispatched: attempt },
  [Operation.DELETE]: { dispatched: attempt },
};

export function unfitText(operation: Operation, unfit: Readonly<Record<string, number>>): string[] {
  return Object.entries(unfit).map(([state, count]) => {
    const instead = insteadOf[operation]?.[state];
    const which = `${count} recipient${count === 1 ? '' : 's'} ${printable(state)}`;
    return instead === undefined ? which : `${which}: ${instead}`;
  });
}
