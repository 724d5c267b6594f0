/**
 * Facts with several spellings, each in the one form in which they are compared: domains in lower-case A-labels (RFC 5890 §2.3.2.1), addresses and
 * users as the directory knows those of recipients, in lower case as well. What a condition compares them with is brought into the same form when
 * it is compiled, so that either spelling may be written.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { canonicalAddress, domainToAscii, isAscii, splitAddress } from '@postern/smtp-core';
import { factNameOf } from './expression-walk.js';
import { factEntry } from './fact-table.js';
import { inEitherCase } from './pattern-case.js';

export type FactForm = 'domain' | 'address' | 'user';

/** Written with the dot of the root it is the same name. */
export function domainForm(text: string): string {
  const name = /[^.]\.$/.test(text) ? text.slice(0, -1) : text;
  return isAscii(name) ? name.toLowerCase() : (domainToAscii(name) ?? name.toLowerCase());
}

export function addressForm(text: string): string {
  const parts = splitAddress(text);
  return (parts === null ? undefined : canonicalAddress(parts)) ?? text.toLowerCase();
}

/** `user+tag@domain` without its tag. */
export const withoutTag = (address: string): string => address.replace(/^([^+@]+)\+.*(?=@)/, '$1');

const forms: Readonly<Record<FactForm, (text: string) => string>> = {
  domain: domainForm,
  address: addressForm,
  user: (text) => lowered(text),
};

/** The end of a domain is taken for whole labels. */
function domainEnd(text: string): string {
  return text.startsWith('.') ? `.${domainForm(text.slice(1))}` : domainForm(text);
}

const lowered = (text: string): string => text.normalize('NFC').toLowerCase();

/** Functions that compare a text with a part of it. */
export const partFunctions: ReadonlySet<string> = new Set(['startsWith', 'endsWith', 'contains']);

/** A part of a fact in its form. */
export function partInForm(form: FactForm, compares: string, text: string): string {
  if (form === 'user' || compares !== 'endsWith') return lowered(text);
  const at = form === 'address' ? text.lastIndexOf('@') + 1 : 0;
  return at === 0 ? domainEnd(text) : `${lowered(text.slice(0, at))}${domainForm(text.slice(at))}`;
}

export const inForm = (form: FactForm, text: string): string => forms[form](text);

/** The source of a condition with its constants in the form of the facts they are compared with; undefined = they are already. */
export function withFormedConstants(source: string, root: ASTNode): string | undefined {
  const constants = [...constantsIn(root)].sort((one, other) => other.start - one.start);
  let formed = source;
  for (const { start, end, text } of constants)
    formed = formed.slice(0, start) + JSON.stringify(text) + formed.slice(end);
  return constants.length === 0 ? undefined : formed;
}

interface FormedConstant {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function* constantsIn(node: ASTNode): Generator<FormedConstant> {
  if (node.op === '==' || node.op === '!=' || node.op === 'in') {
    const [left, right] = node.args;
    yield* formed(left, right);
    if (node.op !== 'in') yield* formed(right, left);
  }
  if (node.op === 'rcall') yield* formedPart(...node.args);
  for (const child of childrenOf(node)) yield* constantsIn(child);
}

function* formed(fact: ASTNode, constant: ASTNode): Generator<FormedConstant> {
  const form = factEntry(factNameOf(fact) ?? '')?.form;
  if (form === undefined) return;
  if (constant.op === 'list') for (const item of constant.args) yield* formed(fact, item);
  if (constant.op !== 'value' || typeof constant.args !== 'string') return;
  const text = inForm(form, constant.args);
  if (text !== constant.args) yield { start: constant.range.start, end: constant.range.end, text };
}

function* formedPart(compares: string, fact: ASTNode, [constant]: readonly ASTNode[]): Generator<FormedConstant> {
  const isPattern = compares === 'rx';
  const form = isPattern || partFunctions.has(compares) ? factEntry(factNameOf(fact) ?? '')?.form : undefined;
  if (form === undefined || constant?.op !== 'value' || typeof constant.args !== 'string') return;
  const text = isPattern ? inEitherCase(constant.args) : partInForm(form, compares, constant.args);
  if (text !== constant.args) yield { start: constant.range.start, end: constant.range.end, text };
}

const isNode = (value: unknown): value is ASTNode => typeof value === 'object' && value !== null && 'op' in value;

export function childrenOf(node: ASTNode): ASTNode[] {
  const args: unknown = node.args;
  if (isNode(args)) return [args];
  return Array.isArray(args) ? args.flat(2).filter(isNode) : [];
}
