/**
 * What is left of a rule's conditions at RCPT, before the content has come: true or false where facts of session, sender and recipient decide, else
 * the part that waits for the content, as text. Two recipients with the same rest are treated alike by the rule, whatever comes. Conditions are
 * taken apart at `&&`, `||`, `!` and `?:`; what waits and names the recipient keeps its values in the text. Never throws.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { checkOfFact } from './check-facts.js';
import { isKnownAt } from './event.js';
import { conditionPart, type Expression, namedFacts, textOf } from './expression.js';
import { type Facts, factEntry } from './fact-table.js';
import type { Rule } from './rule.js';

export type Residual = boolean | string;

type Part =
  | { readonly kind: 'known'; readonly test: (context: object) => boolean; readonly rest: Rest }
  | { readonly kind: 'open'; readonly rest: Rest }
  | { readonly kind: 'not'; readonly part: Part }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Part[] }
  | { readonly kind: 'choice'; readonly question: Part; readonly yes: Part; readonly no: Part };

interface Rest {
  readonly text: string;
  /** Facts of the recipient it names. */
  readonly asks: readonly string[];
}

/** Known at RCPT, but not the same at the end of data. */
const moving: ReadonlySet<string> = new Set([
  ...['session.errors', 'recipients.count', 'time.now', 'time.hour', 'time.weekday'],
]);

function isSettled(name: string): boolean {
  const entry = factEntry(name);
  return entry !== undefined && isKnownAt(entry.since, 'rcpt') && !moving.has(name);
}

const parts = new WeakMap<Expression, Part>();

function partOf(expression: Expression): Part {
  const before = parts.get(expression);
  if (before !== undefined) return before;
  const made = taken(expression.ast);
  parts.set(expression, made);
  return made;
}

function taken(node: ASTNode): Part {
  const facts = [...namedFacts(node)];
  if (!facts.every(isSettled)) {
    switch (node.op) {
      case '!_':
        return { kind: 'not', part: taken(node.args) };
      case '&&':
      case '||':
        return { kind: node.op === '&&' ? 'and' : 'or', parts: node.args.map(taken) };
      case '?:': {
        const [question, yes, no] = node.args;
        return { kind: 'choice', question: taken(question), yes: taken(yes), no: taken(no) };
      }
      default:
        break;
    }
  }
  const asks = facts
    .filter((name) => name.startsWith('recipient.') || checkOfFact(name) !== undefined)
    .filter(isSettled);
  const rest = { text: textOf(node), asks };
  return facts.every(isSettled) ? known(node, rest) : { kind: 'open', rest };
}

/** A part that cannot stand by itself waits with the rest: its text names what it asks of the recipient. */
function known(node: ASTNode, rest: Rest): Part {
  try {
    return { kind: 'known', test: conditionPart(node), rest };
  } catch {
    return { kind: 'open', rest };
  }
}

/** Takes the conditions of a rule apart now, so that mail does not wait for it. */
export function takeApart({ conditions }: Rule): void {
  for (const condition of conditions) partOf(condition);
}

export interface KnownAtRcpt {
  readonly facts: Facts;
  /** The same as the conditions read them. */
  readonly context: object;
}

export function residualOf({ match, conditions }: Rule, known: KnownAtRcpt): Residual {
  const rests = conditions.map((condition) => left(partOf(condition), known));
  return match === 'any' && conditions.length > 0 ? joined(rests, '||') : joined(rests, '&&');
}

function left(part: Part, known: KnownAtRcpt): Residual {
  switch (part.kind) {
    case 'open':
      return written(part.rest, known);
    case 'known':
      try {
        return part.test(known.context);
      } catch {
        // It fails at the end of data as well, and there it matters what stands beside it.
        return written(part.rest, known);
      }
    case 'not': {
      const rest = left(part.part, known);
      return typeof rest === 'boolean' ? !rest : `!(${rest})`;
    }
    case 'and':
      return joined(
        part.parts.map((one) => left(one, known)),
        '&&',
      );
    case 'or':
      return joined(
        part.parts.map((one) => left(one, known)),
        '||',
      );
    case 'choice': {
      const question = left(part.question, known);
      if (typeof question === 'boolean') return left(question ? part.yes : part.no, known);
      const [yes, no] = [left(part.yes, known), left(part.no, known)];
      return `(${question}) ? (${String(yes)}) : (${String(no)})`;
    }
  }
}

/** `&&` of nothing holds, `||` of nothing does not. */
function joined(rests: readonly Residual[], by: '&&' | '||'): Residual {
  const decides = by === '||';
  if (rests.includes(decides)) return decides;
  const open = [...new Set(rests.filter((rest) => typeof rest === 'string'))];
  const [only] = open;
  if (only === undefined) return !decides;
  return open.length === 1 ? only : open.map((rest) => `(${rest})`).join(` ${by} `);
}

function written({ text, asks }: Rest, { facts: { recipient, check } }: KnownAtRcpt): string {
  if (asks.length === 0) return text;
  const { address = '', domain = '', user = '', routing = '', spelled = '' } = recipient ?? {};
  const values = new Map<string, string | undefined>(Object.entries({ address, domain, user, routing, spelled }));
  const found = new Map<string, string | undefined>(Object.entries(check ?? {}));
  const valueAt = (name: string): string | undefined => {
    const checked = checkOfFact(name);
    return checked === undefined ? values.get(name.slice('recipient.'.length)) : found.get(checked);
  };
  return `${text} ${JSON.stringify(asks.map((name) => [name, valueAt(name)]))}`;
}
