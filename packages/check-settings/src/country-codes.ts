/** Codes in `country.block` and `allow` that no country has: found in what is written now; what was saved before goes on as it is. Pure. */
import type { Fault, PlainValue } from '@postern/config';
import { countryInstead } from '@postern/rules';

const lists = ['block', 'allow'] as const;

type Written = { readonly [key: string]: PlainValue | readonly string[] | undefined };

const isMap = (value: unknown): value is Written =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of settings or of a patch, each with its place in it. */
export function countryFaults({ country }: { readonly country?: unknown }): Fault[] {
  if (!isMap(country)) return [];
  return lists.flatMap((list) => {
    const codes: unknown = country[list];
    if (!Array.isArray(codes)) return [];
    return codes.flatMap((code: unknown, index): Fault[] => {
      const instead = typeof code === 'string' ? countryInstead(code) : undefined;
      if (instead === undefined) return [];
      const message = `${JSON.stringify(code)} is the code of no country; ${instead}`;
      return [{ path: ['country', list, index], message }];
    });
  });
}
