/** What the schema cannot see of IP sets and error control: listeners and checks that do not exist, bounds the wrong way round. Pure. */
import type { Fault } from '@postern/config';
import { skippableChecks } from '@postern/rules';
import type { OperatorDocument } from './schema.js';

/** Whether a mailbox exists is no opinion about the client. */
const skippable = skippableChecks.filter((check) => check !== 'recipients');
const always = ['mx', 'submission', 'submissions'];

function reversed(path: Fault['path'], other: string): Fault {
  return { path, message: `is below ${other}; expected at least as much` };
}

export function flowProblems({ ipSets, listeners, errorControl: control }: OperatorDocument): Fault[] {
  const known = [...new Set([...always, ...Object.keys(listeners)])];
  const problems = Object.entries(ipSets).flatMap(([name, set]): Fault[] => {
    const unknown = (field: 'listeners' | 'skipChecks', text: readonly string[], names: readonly string[]): Fault[] =>
      text.flatMap((one, index) =>
        names.includes(one)
          ? []
          : [
              {
                path: ['ipSets', name, field, index],
                message: `${JSON.stringify(one)} is not allowed; expected one of ${names.join(', ')}`,
              },
            ],
      );
    return [
      ...unknown('listeners', set.listeners, known),
      ...unknown('skipChecks', set.skipChecks, skippable),
      ...(set.action === 'deny' && set.trusted
        ? [{ path: ['ipSets', name, 'trusted'], message: 'is on while action is deny; expected one of the two' }]
        : []),
    ];
  });
  if (control.longestBan < control.ban) problems.push(reversed(['errorControl', 'longestBan'], 'ban'));
  if (control.longestLoginDelay < control.loginDelay)
    problems.push(reversed(['errorControl', 'longestLoginDelay'], 'loginDelay'));
  if (control.longestTarpit < control.tarpitDelay)
    problems.push(reversed(['errorControl', 'longestTarpit'], 'tarpitDelay'));
  return problems;
}
