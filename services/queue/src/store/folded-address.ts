/**
 * Addresses are kept as they were written and looked for however they were. A row whose address has capital letters holds it in lower case besides, in a
 * column of its own (`folded_`); all others are in lower case already. So each way to find one is served by an index.
 */
type Column = 'recipient' | 'reverse_path';

/** For the writer. */
export const foldedOf = (column: Column): string =>
  `CASE WHEN lower(${column}) = ${column} THEN '' ELSE lower(${column}) END`;

/** Conditions that together find an address; of older rows only what is written as it is asked for, or in lower case. */
export const spellingsOf = (column: Column, parameter: string, table = ''): string[] => [
  `${table}${column} = lower(${parameter})`,
  `${table}${column} = ${parameter} AND ${parameter} <> lower(${parameter})`,
  `${table}folded_${column} = lower(${parameter}) AND ${table}folded_${column} <> ''`,
];

/** Where an index of another column serves already. */
export const isAddress = (column: Column, parameter: string, table = ''): string =>
  `lower(${table}${column}) = lower(${parameter})`;
