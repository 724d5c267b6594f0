/**
 * Comparisons of a fact that has few values with what it never is: `dmarc.result == "failed"`, `time.hour > 25`. Such a condition never matches, or
 * always does, and is a mistake of who writes it. Found when a rule is saved; what was saved before goes on as it is.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { countryInstead } from './country-code.js';
import { type Complaint, factNameOf } from './expression-walk.js';
import { type FactEntry, factEntry } from './fact-table.js';
import { networkProblem } from './network-literal.js';
import { nearest } from './problem.js';

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);
/** The end of a range may be named as well: `time.hour < 24`. */
const ordered: ReadonlySet<string> = new Set(['<', '<=', '>', '>=']);
/** Of a check that a rule or an allow list spared. */
const spared = 'skipped';

export function impossibleValues(nodes: readonly ASTNode[]): Complaint[] {
  return nodes.flatMap((node) => {
    if (!comparisons.has(node.op) || !Array.isArray(node.args)) return [];
    const [left, right]: readonly unknown[] = node.args;
    if (!(isNode(left) && isNode(right))) return [];
    const beyond = ordered.has(node.op) ? 1n : 0n;
    if (node.op === 'in') return complaints(left, right, beyond);
    return [...complaints(left, right, beyond), ...complaints(right, left, beyond)];
  });
}

function complaints(fact: ASTNode, constant: ASTNode, beyond: bigint): Complaint[] {
  const name = factNameOf(fact);
  const entry = name === undefined ? undefined : factEntry(name);
  if (name === undefined || entry === undefined) return [];
  if (constant.op === 'list') return constant.args.flatMap((item) => complaints(fact, item, beyond));
  if (constant.op !== 'value') return [];
  const hint = networkInstead(name, constant.args) ?? allowedInstead(entry, constant.args, beyond);
  const shown = typeof constant.args === 'string' ? JSON.stringify(constant.args) : String(constant.args);
  return hint === undefined ? [] : [{ offset: constant.start, message: `${name} is never ${shown}`, hint }];
}

const addresses: ReadonlySet<string> = new Set(['client.address', 'server.address']);

/** An address is compared with a network by a function. */
function networkInstead(name: string, value: unknown): string | undefined {
  const isNetwork = typeof value === 'string' && value.includes('/') && networkProblem(value) === undefined;
  return isNetwork && addresses.has(name) ? `write ${name}.inNetwork(${JSON.stringify(value)})` : undefined;
}

/** What it may be, where it is never this; undefined = it may be. */
function allowedInstead({ values, range, isCountry }: FactEntry, value: unknown, beyond: bigint): string | undefined {
  if (range !== undefined && typeof value === 'bigint')
    return value < BigInt(range[0]) - beyond || value > BigInt(range[1]) + beyond
      ? `write a number from ${range[0]} to ${range[1]}`
      : undefined;
  if (typeof value !== 'string' || value === '') return undefined;
  if (isCountry === true) return countryInstead(value);
  if (values === undefined || value === spared || values.includes(value)) return undefined;
  const near = nearest(value, values);
  return `${near === undefined ? '' : `did you mean "${near}"? `}it is one of ${values.join(', ')}`;
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
