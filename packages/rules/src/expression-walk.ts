/**
 * What a checked expression names and what it may cost, found by walking its tree before it is ever run. Only listed
 * functions may be called: `matches` is the host's backtracking engine and is refused, patterns and networks must be
 * literals so that they can be prepared. The cost is an upper bound in elementary steps: what stands inside a macro
 * counts once per possible element.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { RuleEvent } from './event.js';
import { isKnownAt } from './event.js';
import { LIST_LIMIT } from './fact-context.js';
import { type FactEntry, factEntry, factNames, HEADERS_SINCE } from './fact-table.js';
import { networkProblem } from './network-literal.js';
import { patternProblem } from './pattern.js';
import { nearest } from './problem.js';

export interface Complaint {
  readonly offset: number;
  readonly message: string;
  readonly hint: string;
}

export interface ExpressionScope {
  readonly event: RuleEvent;
  /** Data files the operator has; a fact that needs another one is refused. */
  readonly available: ReadonlySet<string>;
  /** Why a fact is found out by nobody. */
  readonly unsupported?: ((fact: string) => string | undefined) | undefined;
  /** Being saved: comparisons with what a fact never is are refused. */
  readonly isNew?: boolean | undefined;
  /** Of a tenant, a domain or a user. */
  readonly isTenant?: boolean | undefined;
}

const COST_LIMIT = 200_000;
const PATTERN_COST = 100;
const ZONE_COST = 400;

const macros: ReadonlySet<string> = new Set(['exists', 'all', 'exists_one', 'map', 'filter']);
const functions: ReadonlySet<string> = new Set([
  'size',
  'string',
  'int',
  'double',
  'timestamp',
  'duration',
  'startsWith',
  'endsWith',
  'contains',
  'lowerAscii',
  'upperAscii',
  'trim',
  'indexOf',
  'lastIndexOf',
  'substring',
  'split',
  'join',
  'rx',
  'inNetwork',
  'inDomain',
  'first',
  'values',
  'shown',
  'has',
  'count',
]);
const zoned = /^get(Date|DayOfMonth|DayOfWeek|DayOfYear|FullYear|Hours|Minutes|Month|Seconds|Milliseconds)$/;

function instead(name: string): string {
  const known = [...functions, ...macros];
  const near = nearest(name, known);
  return near === undefined ? `available: ${known.join(', ')}` : `did you mean ${near}?`;
}

export class ExpressionWalk {
  readonly complaints: Complaint[] = [];
  /** Facts it names. */
  readonly facts = new Set<string>();
  readonly #scope: ExpressionScope;
  readonly #bound: string[] = [];

  constructor(scope: ExpressionScope) {
    this.#scope = scope;
  }

  /** Walks the tree and returns its cost; what is wrong with it is in `complaints`. */
  walk(root: ASTNode): number {
    const cost = this.#cost(root);
    if (cost > COST_LIMIT)
      this.#complain(root, 'this condition may take too long', 'look into one list at a time, or match with rx');
    return cost;
  }

  #cost(node: ASTNode): number {
    switch (node.op) {
      case 'value':
        return 1;
      case 'id':
        this.#fact(node, node.args);
        return 1;
      case '.':
      case '.?':
        return this.#select(node, node.args[0], node.args[1]);
      case 'call':
        return this.#call(node, node.args[0], undefined, node.args[1]);
      case 'rcall':
        return this.#call(node, node.args[0], node.args[1], node.args[2]);
      case 'list':
        return this.#sum(node.args);
      case 'map':
        return this.#sum(node.args.flat());
      case '!_':
      case '-_':
        return 1 + this.#cost(node.args);
      case 'in':
        this.#lowerCase(node, node.args[0], node.args[1]);
        return this.#sum(node.args) + sizeBound(node.args[1]);
      case '==':
      case '!=':
        this.#lowerCase(node, node.args[0], node.args[1]);
        this.#lowerCase(node, node.args[1], node.args[0]);
        return this.#sum(node.args);
      default:
        return this.#sum(node.args);
    }
  }

  #sum(nodes: readonly ASTNode[]): number {
    return nodes.reduce((sum, node) => sum + this.#cost(node), 1);
  }

  #select(node: ASTNode, left: ASTNode, field: string): number {
    if (left.op === 'id' && !this.#bound.includes(left.args)) {
      this.#fact(node, `${left.args}.${field}`);
      return 2;
    }
    return 1 + this.#cost(left);
  }

  #fact(node: ASTNode, name: string): void {
    if (this.#bound.includes(name)) return;
    if (name !== 'headers' && factEntry(name) === undefined) return;
    this.facts.add(name);
    const why = factUnknownAt(name, this.#scope);
    if (why !== undefined) this.#complain(node, why.message, why.hint);
  }

  #call(node: ASTNode, name: string, receiver: ASTNode | undefined, args: readonly ASTNode[]): number {
    if (receiver !== undefined && macros.has(name)) return this.#macro(receiver, args);
    if (name === 'matches') this.#complain(node, 'matches is not available', 'use rx, which takes linear time');
    else if (!functions.has(name) && !zoned.test(name)) this.#complain(node, `${name} is not available`, instead(name));
    const base = this.#sum(args) + (receiver === undefined ? 0 : this.#cost(receiver));
    if (name === 'rx') return base + PATTERN_COST + this.#literal(node, args[0], patternProblem);
    if (name === 'inNetwork') return base + this.#literal(node, args[0], networkProblem);
    if (zoned.test(name) && args.length > 0) return base + ZONE_COST + this.#literal(node, args[0], zoneProblem);
    return base;
  }

  #macro(receiver: ASTNode, args: readonly ASTNode[]): number {
    const [variable, ...bodies] = args;
    const outside = this.#cost(receiver);
    this.#bound.push(variable?.op === 'id' ? variable.args : '');
    const inside = this.#sum(bodies);
    this.#bound.pop();
    return outside + inside * sizeBound(receiver);
  }

  #literal(node: ASTNode, arg: ASTNode | undefined, problem: (text: string) => string | undefined): number {
    if (arg?.op !== 'value' || typeof arg.args !== 'string') {
      this.#complain(arg ?? node, 'this must be a quoted text', 'it is prepared when the rule is saved');
      return 0;
    }
    const wrong = problem(arg.args);
    if (wrong !== undefined) this.#complain(arg, wrong, 'correct the quoted text');
    return 0;
  }

  /** A literal in upper case never equals a fact that is compared in lower case. */
  #lowerCase(node: ASTNode, side: ASTNode, other: ASTNode): void {
    const name = factNameOf(side);
    if (name === undefined || factEntry(name)?.lower !== true) return;
    for (const text of literalTexts(other)) {
      if (text !== text.toLowerCase())
        this.#complain(node, `${name} is always in lower case`, `write "${text.toLowerCase()}"`);
    }
  }

  #complain(node: ASTNode, message: string, hint: string): void {
    this.complaints.push({ offset: node.start, message, hint });
  }
}

/** Why the event does not know a fact there is; undefined = it does. */
export function factUnknownAt(
  name: string,
  { event, available, unsupported }: ExpressionScope,
): Omit<Complaint, 'offset'> | undefined {
  const entry: Pick<FactEntry, 'since' | 'needs' | 'kept'> | undefined =
    name === 'headers' ? { since: HEADERS_SINCE } : factEntry(name);
  if (entry === undefined) return undefined;
  const reason = unsupported?.(name);
  if (reason !== undefined) return { message: `${name} ${reason}`, hint: 'use another fact' };
  if (!isKnownAt(entry.since, event))
    return { message: `${name} is not known at ${event}`, hint: `it is known from ${entry.since} on` };
  if (isKnownAt('relay', event) && !isKnownAt('relay', entry.since) && entry.kept !== true)
    return {
      message: `${name} is not kept after acceptance`,
      hint: 'give a tag where it is known and look for it in message.tags',
    };
  if (entry.needs !== undefined && !available.has(entry.needs))
    return { message: `${name} needs a ${entry.needs} database`, hint: 'ask the operator to configure one' };
  return undefined;
}

/** `sender.domain` for that selection, undefined for anything else. */
export function factNameOf(node: ASTNode): string | undefined {
  if (node.op === 'id') return node.args;
  if (node.op !== '.' || node.args[0].op !== 'id') return undefined;
  return `${node.args[0].args}.${node.args[1]}`;
}

/** The texts of a literal or of a list of literals; nothing when anything else is among them. */
export function literalTexts(node: ASTNode): readonly string[] {
  if (node.op === 'value') return typeof node.args === 'string' ? [node.args] : [];
  if (node.op !== 'list') return [];
  const texts = node.args.flatMap((item) => literalTexts(item));
  return texts.length === node.args.length ? texts : [];
}

export function knownNames(): readonly string[] {
  return [...factNames(), 'headers'];
}

function sizeBound(node: ASTNode): number {
  return node.op === 'list' ? node.args.length : LIST_LIMIT;
}

function zoneProblem(zone: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return undefined;
  } catch {
    return 'not the name of a time zone, for example Europe/Berlin';
  }
}
