/**
 * Rules in a file, as the service takes them: one rule by itself, or the entries of a `rules` section as in the operator file and the recipes. An
 * entry is its own lines of the file, moved to the left, so that columns of a condition stay true. What is wrong with a rule is the service's to say.
 */
import { readFileSync } from 'node:fs';
import { isPosternError } from '@postern/errors';
import { isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { PlainError } from './usage-error.js';

export interface RuleText {
  /** Empty = the file gives it none. */
  readonly id: string;
  readonly document: string;
  /** Of the file, where the document begins. */
  readonly line: number;
}

const mostNamed = 10;

/** `-` is standard input. */
export function readRuleFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`rule file ${file} cannot be read (${reason})`);
  }
}

/** undefined = one rule by itself, or nothing this can read. */
export function ruleSection(text: string): readonly RuleText[] | undefined {
  const { contents } = parseDocument(text, { logLevel: 'silent' });
  const rules = isMap(contents) ? contents.get('rules') : undefined;
  if (!isSeq(rules)) return undefined;
  return rules.items.flatMap((entry) => {
    if (!isMap(entry) || entry.range === undefined || entry.range === null) return [];
    const [start, end] = entry.range;
    const id = entry.items.find(({ key }) => isScalar(key) && key.value === 'id')?.value;
    return [
      { id: isScalar(id) ? String(id.value) : '', document: movedLeft(text, start, end), line: lineAt(text, start) },
    ];
  });
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

function movedLeft(text: string, start: number, end: number): string {
  const indent = start - (text.lastIndexOf('\n', start - 1) + 1);
  const [first = '', ...more] = text.slice(start, end).split('\n');
  return [first, ...more.map((line) => (line.slice(0, indent).trim() === '' ? line.slice(indent) : line))].join('\n');
}

/** The rule of this id, or all of a file that is one rule. */
export function ruleDocument(file: string, id: string): RuleText {
  const text = readRuleFile(file);
  const section = ruleSection(text);
  if (section === undefined) return { id, document: text, line: 1 };
  const found = section.find((rule) => rule.id === id);
  if (found !== undefined) return found;
  const ids = section.slice(0, mostNamed).map((rule) => rule.id);
  throw new PlainError(`rule file ${file} has no rule ${id}; it has ${ids.join(', ') || 'none'}`);
}

export interface OwnedRule {
  readonly tenant: string | undefined;
  readonly scope: string | undefined;
  readonly document: string;
}

/** An entry of the operator file says beside the rule whose it is; to try it, that is said apart. Others stay as they are written. */
export function withoutOwner(document: string): OwnedRule {
  const parsed = parseDocument(document, { logLevel: 'silent' });
  const named = (key: string): string | undefined => {
    const value: unknown = isMap(parsed.contents) ? parsed.contents.get(key) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  const [tenant, scope] = [named('tenant'), named('scope')];
  if (tenant === undefined || parsed.errors.length > 0) return { tenant: undefined, scope: undefined, document };
  parsed.delete('tenant');
  parsed.delete('scope');
  return { tenant, scope, document: String(parsed) };
}

const place = /^rule\.document(?::(\d+))?: /gm;

/** What the service finds wrong in the rule, told with the lines of the person's file. */
export async function withLinesOf<T>(file: string, { line }: RuleText, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isPosternError(error, 'invalid-argument') || error.detail.search(place) !== 0) throw error;
    const name = file === '-' ? 'standard input' : file;
    const told = error.detail.replace(place, (_text, number: string | undefined) =>
      number === undefined ? `${name}: ` : `${name}:${line + Number(number) - 1}: `,
    );
    throw new PlainError(told);
  }
}
