/**
 * One CEL expression, checked and made a function. The expression engine is known only to this file and its walk. An
 * expression that passes has type bool, names only facts its event knows, calls only listed functions, and has a
 * bounded cost. It can still fail for one set of facts (an index beyond a list): that is a fault, not a match.
 */
import {
  type ASTNode,
  Environment,
  EvaluationError,
  ParseError,
  serialize,
  TypeError as TypeProblem,
} from '@marcbachmann/cel-js';
import { exactSource, withExactConversions } from './exact-conversion.js';
import { type Complaint, type ExpressionScope, ExpressionWalk, knownNames } from './expression-walk.js';
import { factGroups, HeaderFacts, plainFacts } from './fact-context.js';
import { childrenOf, domainForm, withFormedConstants } from './fact-form.js';
import { useOf } from './function-use.js';
import { networkHolds } from './network-literal.js';
import { otherLanguage } from './other-language.js';
import { patternFinds } from './pattern.js';
import { impossibleNames } from './possible-name.js';
import { impossibleValues } from './possible-value.js';
import { nearest, type Place, placeOf, START } from './problem.js';

export interface ExpressionProblem extends Place {
  readonly message: string;
  readonly hint: string;
}

export interface Expression {
  readonly test: (context: object) => boolean;
  /** As it is written, constants in the form of their facts. */
  readonly source: string;
  readonly ast: ASTNode;
  /** Facts it names. */
  readonly facts: ReadonlySet<string>;
  readonly cost: number;
}

export type CompiledExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problems: readonly ExpressionProblem[] };

const SOURCE_LIMIT = 10_000;

const limits = { maxAstNodes: 500, maxDepth: 50, maxListElements: 200, maxMapEntries: 50, maxCallArguments: 8 };

const environment = new Environment({ limits });
for (const { name, type, fields, ctor } of factGroups) {
  environment.registerType(type, { fields: { ...fields }, ctor });
  environment.registerVariable(name, type);
}
for (const { name, type } of plainFacts) environment.registerVariable(name, type);
environment
  .registerType('postern.headers', { fields: {}, ctor: HeaderFacts })
  .registerVariable('headers', 'postern.headers')
  .registerFunction('postern.headers.values(string): list<string>', (headers: HeaderFacts, name: string) =>
    headers.values(name),
  )
  .registerFunction('postern.headers.shown(string): list<string>', (headers: HeaderFacts, name: string) =>
    headers.shown(name),
  )
  .registerFunction('postern.headers.first(string): string', (headers: HeaderFacts, name: string) =>
    headers.first(name),
  )
  .registerFunction(
    'postern.headers.has(string): bool',
    (headers: HeaderFacts, name: string) => headers.count(name) > 0,
  )
  .registerFunction('postern.headers.count(string): int', (headers: HeaderFacts, name: string) =>
    BigInt(headers.count(name)),
  )
  .registerFunction('string.rx(string): bool', patternFinds)
  .registerFunction('string.inNetwork(string): bool', (address: string, network: string) =>
    networkHolds(network, address),
  )
  .registerFunction('string.inDomain(string): bool', inDomain);
/** Conversions are more of a tree where they are evaluated than where they are written. */
const running = withExactConversions(environment.clone({ limits: { ...limits, maxAstNodes: 1_000, maxDepth: 100 } }));

type Condition = ReturnType<typeof environment.parse>;

function runnable(written: Condition, source: string): Condition {
  const exact = exactSource(source, written.ast);
  return exact === undefined ? written : running.parse(exact);
}

export function compileExpression(source: string, scope: ExpressionScope): CompiledExpression {
  if (source.length > SOURCE_LIMIT)
    return refused({ ...START, message: 'the condition is too long', hint: `at most ${SOURCE_LIMIT} characters` });
  try {
    const parsed = environment.parse(source);
    const walk = new ExpressionWalk(scope);
    const cost = walk.walk(parsed.ast);
    const told = ({ offset, message, hint }: Complaint): ExpressionProblem => ({
      ...placeOf(source, offset),
      message,
      hint,
    });
    if (walk.complaints.length > 0) return refused(...walk.complaints.map(told));
    const checked = parsed.check();
    if (!checked.valid) return refused(problemOf(source, checked.error, parsed.ast));
    if (checked.type !== 'bool')
      return refused({
        ...START,
        message: `a condition must be true or false, this is of type ${checked.type ?? 'unknown'}`,
        hint: 'compare it with something',
      });
    const nodes = scope.isNew === true ? nodesOf(parsed.ast) : [];
    const impossible = [...impossibleValues(nodes), ...impossibleNames(nodes)];
    if (impossible.length > 0) return refused(...impossible.map(told));
    const formed = withFormedConstants(source, parsed.ast);
    const written = formed === undefined ? parsed : environment.parse(formed);
    const run = runnable(written, formed ?? source);
    return {
      ok: true,
      expression: {
        ...{ test: (context) => run(context) === true, source: formed ?? source, ast: written.ast },
        ...{ facts: walk.facts, cost },
      },
    };
  } catch (error) {
    return refused(problemOf(source, error));
  }
}

export const textOf = (node: ASTNode): string => serialize(node);

/** A part of a checked expression that is of type bool, by itself. */
export function conditionPart(node: ASTNode): (context: object) => boolean {
  const source = serialize(node);
  const run = runnable(environment.parse(source), source);
  return (context) => run(context) === true;
}

const anywhere: ExpressionScope = { event: 'body', available: new Set(['country', 'asn']) };

/** Facts a part of a checked expression names. */
export function namedFacts(node: ASTNode): ReadonlySet<string> {
  const walk = new ExpressionWalk(anywhere);
  walk.walk(node);
  return walk.facts;
}

function refused(...problems: readonly ExpressionProblem[]): CompiledExpression {
  return { ok: false, problems };
}

function problemOf(source: string, error: unknown, root?: ASTNode): ExpressionProblem {
  if (!(error instanceof ParseError || error instanceof TypeProblem || error instanceof EvaluationError))
    return { ...START, message: error instanceof Error ? error.message : 'not an expression', hint: 'rewrite it' };
  const start = error.range?.start ?? 0;
  const operand =
    error.code === 'invalid_logical_operand' && root !== undefined ? wrongOperand(root, start) : undefined;
  const place = placeOf(source, operand ?? start);
  return { ...place, message: error.summary, hint: hintFor(source, error) };
}

/** The engine tells the place of the operator. Which operand it is follows from which of the two is a condition by itself. */
function wrongOperand(root: ASTNode, start: number): number | undefined {
  const found = nodesOf(root).find((node) => (node.op === '&&' || node.op === '||') && node.start === start);
  if (found === undefined || (found.op !== '&&' && found.op !== '||')) return undefined;
  const [left, right] = found.args;
  return (isCondition(left) ? right : left).start;
}

/** What names a variable of a macro cannot be checked by itself; an operand that calls for a condition is one. */
function isCondition(node: ASTNode): boolean {
  const checked = environment.parse(serialize(node)).check();
  return checked.valid ? checked.type === 'bool' : node.op !== 'id';
}

const nodesOf = (node: ASTNode): ASTNode[] => [node, ...childrenOf(node).flatMap(nodesOf)];

function hintFor(source: string, { code, range, summary }: ParseError | TypeProblem | EvaluationError): string {
  const use = useOf(summary);
  if (use !== undefined) return `write it as in ${use}`;
  if (code === 'invalid_logical_operand') return 'write a comparison on each side, such as helo == "a.test"';
  if (code === 'no_such_overload')
    return / overload: [-!]/.test(summary)
      ? 'write it before a number (-) or before what is true or false (!)'
      : 'write both sides in the same type: text in quotes, numbers without';
  const habit = code === 'unknown_variable' || code === 'no_such_key' ? undefined : otherLanguage(source);
  if (habit !== undefined) return habit;
  if (code !== 'unknown_variable' && code !== 'no_such_key') return 'see docs/rules.md on conditions';
  const from = /[\w.]*$/.exec(source.slice(0, range?.start ?? 0))?.[0] ?? '';
  const word = from + source.slice(range?.start ?? 0, range?.end ?? 0);
  const guess = nearest(word, knownNames());
  return guess === undefined ? 'see docs/reference/rule-facts.md for the names of facts' : `did you mean ${guess}?`;
}

/** The domain itself or one below it, on label boundaries; of an address its domain. */
function inDomain(name: string, domain: string): boolean {
  const [below, above] = [domainForm(name.slice(name.lastIndexOf('@') + 1)), domainForm(domain)];
  return below === above || (above !== '' && below.endsWith(`.${above}`));
}
