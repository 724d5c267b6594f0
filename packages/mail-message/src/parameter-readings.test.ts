/** Each row is a way to show a name to somebody and hide it from a filter that reads a field in one way only. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parameterReadings } from './parameter-readings.js';

const names = new Set(['filename', 'name']);
const read = (text: string) => parameterReadings(text, names).values;

test.each<[text: string, shown: string]>([
  ['attachment; filename=a.exe', 'a.exe'],
  ["attachment; filename=ok.txt; filename*=UTF-8''a.exe", 'a.exe'],
  ["attachment; filename*=UTF-8''ok.txt; filename=a.exe", 'a.exe'],
  ['attachment; filename=ok.txt; filename=a.exe', 'a.exe'],
  ['attachment; filename=ok.txt; name=a.exe', 'a.exe'],
  ['attachment; filename=ok.txt; FILENAME = "a.exe"', 'a.exe'],
  ["attachment; filename*=UTF-8''ok.txt; filename*=UTF-8''a%2Eexe", 'a.exe'],
  ['attachment; filename*=a.exe', 'a.exe'],
  ['attachment; filename*0=a.; filename*1=exe', 'a.exe'],
  ['attachment; filename*1=exe; filename*0=a.', 'a.exe'],
  ['attachment; filename*1=a.; filename*0=exe', 'a.exe'],
  ['attachment; filename*1=a.; filename*2=exe', 'a.exe'],
  ['attachment; filename*00=a.; filename*01=exe', 'a.exe'],
  ['attachment; filename*0=ok.txt; filename*0=a.exe', 'a.exe'],
  ["attachment; filename*0*=UTF-8''a%2E; filename*1=e%78e", 'a.exe'],
  ["attachment; filename*0*=UTF-8''ok.txt; filename*0=a.exe", 'a.exe'],
  ["attachment; filename*=UTF-16BE''%00a%00.%00e%00x%00e", 'a.exe'],
  ['attachment; filename="=?utf-8?B?YS5leGU=?="', 'a.exe'],
  ['attachment; filename==?utf-8?Q?a=2Eexe?=', 'a.exe'],
  ['attachment; filename="=?utf-8?Q?a b.exe?="', 'a b.exe'],
  ['attachment; filename="=?utf-8?Q?a?b.exe?="', 'a?b.exe'],
  ['attachment; filename="=?utf-8?Q?a?= =?utf-8?B?LmV4ZQ==?="', 'a.exe'],
  ['attachment; filename="=?utf-16le?B?YQAu?= =?utf-16le?B?AGUAeABlAA==?="', 'a.exe'],
  ['attachment; filename*0="=?utf-8?B?YS5l"; filename*1="eGU=?="', 'a.exe'],
  ['attachment; filename="a%2Eexe"', 'a.exe'],
  ["attachment; filename=UTF-8''a%2Eexe", 'a.exe'],
  ['attachment; filename=a(.txt).exe', 'a(.txt).exe'],
  ['attachment; filename=a.exe(; filename=b.txt', 'a.exe'],
  ['attachment; filename=a(; name=b.exe', 'b.exe'],
  ['attachment; filename="a.exe; x=.txt', 'a.exe'],
  ['attachment; x="; filename=a.exe', 'a.exe'],
  ['attachment; x="\\"; filename="a.exe"', 'a.exe'],
  ['attachment; filename="a\\.exe"', 'a.exe'],
  ['attachment; filename="a.exe".txt', 'a.exe'],
  ['attachment; filename=a.exe .txt', 'a.exe'],
  ['attachment; filename=a b.exe', 'a b.exe'],
  ['attachment; filename="a.exe. . "', 'a.exe'],
  ["attachment; filename*=UTF-8''a.exe%00.txt", 'a.exe'],
])('%s is %s to somebody', (text, shown) => {
  expect(read(text)).toContain(shown);
});

test.each<[text: string, values: readonly string[]]>([
  ['attachment; filename=a.pdf', ['a.pdf']],
  ['attachment; filename="Bericht; Teil 1.pdf"; size=3', ['Bericht; Teil 1.pdf']],
  ["attachment; filename=a.pdf; filename*=UTF-8''a.pdf", ['a.pdf']],
  ['attachment; filename="=?utf-8?Q?=C3=BC.pdf?="', ['ü.pdf']],
  ["attachment; filename*0*=UTF-8''%C3%BC; filename*1=.pdf", ['ü.pdf']],
  ["attachment; filename*=iso-8859-1''%FC.pdf", ['ü.pdf']],
  ['inline', []],
])('an honest %s has no name made up', (text, values) => {
  expect(read(text)).toEqual(values);
});

test('what is read is bounded, and said to be', () => {
  expect(parameterReadings('a; x=1'.repeat(100), names).isCut).toBe(false);
  expect(parameterReadings(`a${'; x=1'.repeat(300)}; filename=a.exe`, names).isCut).toBe(true);
});

test('long and hostile fields are read in linear time', () => {
  for (const piece of ['=?', '=?a?q?', '(', '"', '\\"', "'", '%2', '. ', ' ;filename*0', '=?a?b?a?= '])
    read(`attachment; filename=${piece.repeat(65_536 / piece.length)}x`);
});

test('nothing throws', () => {
  const piece = fc.constantFrom('filename', '*', '0', '=', ';', '"', '\\', '(', ')', "utf-8''", '%00', '=?a?b?', '?=');
  fc.assert(
    fc.property(fc.array(piece), (parts) => {
      expect(read(parts.join(''))).toBeInstanceOf(Array);
    }),
  );
});
