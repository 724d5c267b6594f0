/** Sizes as configuration writes them: '10MiB', '1.5GiB', '25MB'. A text without a unit is none: the unit would be a guess. */
const units: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['TiB', 1024 ** 4],
  ['kB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
  ['TB', 1000 ** 4],
]);

export function bytesOf(text: string): number | undefined {
  const [, number = '', name = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([kKMGT]?i?B)$/.exec(text) ?? [];
  const unit = units.get(name);
  return unit === undefined ? undefined : Math.round(Number(number) * unit);
}
