/**
 * One DNS list and what its answers mean. RFC 5782 §2.1: an answer in 127/8 is a listing. 127.255.255.x says that the list does not serve
 * us, an answer outside 127/8 that the zone is no list (any more): neither ever counts.
 */
import { isAbsent, type Resolver } from '@postern/dns';

export interface DnsList {
  readonly zone: string;
  readonly weight: number;
  readonly codes: readonly string[];
}

export type ListAnswer =
  | { readonly kind: 'listed'; readonly list: DnsList; readonly codes: readonly string[] }
  | { readonly kind: 'clear' | 'unknown'; readonly list: DnsList }
  | { readonly kind: 'unusable'; readonly list: DnsList; readonly answer: string };

const mostCodes = 8;

interface ListSettings {
  readonly zones: readonly string[];
  readonly lists: readonly DnsList[];
}

const made = new WeakMap<ListSettings, readonly DnsList[]>();

/** Zones alone and lists with weights, as one. */
export function listsOf(settings: ListSettings): readonly DnsList[] {
  const known = made.get(settings) ?? [
    ...settings.zones.map((zone) => ({ zone, weight: 1, codes: [] })),
    ...settings.lists,
  ];
  made.set(settings, known);
  return known;
}

/** `127.0.0.4-7`: each octet a number or a range. */
export function matchesCode(answer: string, pattern: string): boolean {
  const octets = answer.split('.').map(Number);
  return pattern.split('.').every((part, index) => {
    const [low = '', high = low] = part.split('-');
    const octet = octets[index] ?? -1;
    return octet >= Number(low) && octet <= Number(high);
  });
}

export async function askList(resolver: Resolver, name: string | undefined, list: DnsList): Promise<ListAnswer> {
  if (name === undefined) return { kind: 'clear', list };
  const result = await resolver.query(name, 'A');
  if (result.kind !== 'answer') return { kind: isAbsent(result) ? 'clear' : 'unknown', list };
  const answers = result.records.map(({ data }) => data);
  const meant = answers.filter((code) => code.startsWith('127.') && !code.startsWith('127.255.255.'));
  if (meant.length === 0) return { kind: 'unusable', list, answer: answers[0] ?? '' };
  const counted =
    list.codes.length === 0 ? meant : meant.filter((code) => list.codes.some((pattern) => matchesCode(code, pattern)));
  return counted.length === 0 ? { kind: 'clear', list } : { kind: 'listed', list, codes: counted.slice(0, mostCodes) };
}

/** Of what is listed with a weight; of lists that cannot be asked and that answer nonsense. */
export interface Tally {
  readonly score: number;
  readonly listed: readonly Extract<ListAnswer, { kind: 'listed' }>[];
  readonly broken: readonly Extract<ListAnswer, { kind: 'unusable' }>[];
  readonly unknown: boolean;
}

export function tally(answers: readonly ListAnswer[]): Tally {
  const listed = answers.filter((answer) => answer.kind === 'listed');
  return {
    score: listed.reduce((sum, { list }) => sum + list.weight, 0),
    listed,
    broken: answers.filter((answer) => answer.kind === 'unusable'),
    unknown: answers.some(({ kind }) => kind === 'unknown'),
  };
}
