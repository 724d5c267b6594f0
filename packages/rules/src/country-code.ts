/**
 * Codes of countries as databases write them: ISO 3166 alpha-2, GB and not UK. Codes that stand for no country (ZZ, XX, UN, EU) are none. The names are those of
 * the runtime. Pure.
 */
const regions = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** Named by the runtime, and no country. */
const noCountries: ReadonlySet<string> = new Set(['EU', 'EZ', 'QO', 'UN', 'XA', 'XB', 'ZZ']);
const form = 'a country code of two capital letters, such as DE';

/** Former and common codes as the one in use. */
const canonical = (code: string): string => new Intl.Locale('und', { region: code }).region ?? '';

const isCountry = (code: string): boolean => regions.of(code) !== undefined && !noCountries.has(code);

/** What to write in its place; undefined = it is one. */
export function countryInstead(value: string): string | undefined {
  if (!/^[A-Za-z]{2}$/.test(value)) {
    const code = codeOf(value);
    return code === undefined ? `write ${form}` : `did you mean "${code}"? write ${form}`;
  }
  const code = canonical(value);
  if (!isCountry(code)) return `write ${form}`;
  return code === value ? undefined : `did you mean "${code}"? write ${form}`;
}

function codeOf(country: string): string | undefined {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const wanted = country.toLowerCase();
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .find((code) => regions.of(code)?.toLowerCase() === wanted && canonical(code) === code);
}
