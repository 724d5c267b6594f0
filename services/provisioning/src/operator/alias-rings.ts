/**
 * Aliases of the operator file that lead only to each other, so that their mail is put off for ever, or to themselves alone: told, not refused, since a file with some
 * was taken before. What the file does not hold counts as a mailbox, and so does an alias that names itself.
 */
import type { Fault } from '@postern/config';
import { canonical } from '../addresses.js';
import type { OperatorDocument } from './schema.js';

const mostNotes = 20;

export function aliasRingNotes({ tenants }: OperatorDocument): Fault[] {
  const form = (address: string): string => canonical(address) ?? address;
  const targetsOf = new Map(
    tenants.flatMap(({ aliases }) =>
      aliases.map(({ address, targets }) => [form(address), targets.map(form)] as const),
    ),
  );
  // Everything that reaches a mailbox, found from the mailboxes back; each pass goes over what is left.
  const ends = new Set([...targetsOf].filter(([address, targets]) => targets.includes(address)).map(([name]) => name));
  let left = [...targetsOf].filter(([name]) => !ends.has(name));
  for (let before = Number.POSITIVE_INFINITY; left.length < before; ) {
    before = left.length;
    left = left.filter(([name, targets]) => {
      const arrives = targets.some((target) => !targetsOf.has(target) || ends.has(target));
      if (arrives) ends.add(name);
      return !arrives;
    });
  }
  const lost = new Set(left.map(([name]) => name));
  const why = (address: string, targets: readonly string[]): string | undefined => {
    if (targets.every((target) => form(target) === address))
      return `${address} leads to itself alone; it takes mail that nobody forwards. Expected another target, or a user`;
    return lost.has(address)
      ? `${address} leads to ${targets.slice(0, 5).join(', ')}, aliases that lead to each other alone; their mail has no mailbox and is put off for ever`
      : undefined;
  };
  const notes = tenants.flatMap(({ aliases }, tenant) =>
    aliases.flatMap(({ address, targets }, alias): Fault[] => {
      const message = why(form(address), targets);
      return message === undefined ? [] : [{ path: ['tenants', tenant, 'aliases', alias, 'targets'], message }];
    }),
  );
  return notes.slice(0, mostNotes);
}
