/**
 * Parts of a condition that some mail cannot be computed for: a place in a list that may be shorter, a text that may be no number, a division. Told when a
 * rule is saved, since it is no mistake where something before it asks first: what stands to the left of it, or in a condition before, and names
 * the same list or text is taken as that question. Only for people.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { textOf } from './expression.js';
import { childrenOf } from './fact-form.js';
import { oneRule } from './one-rule.js';
import { placeOf } from './problem.js';
import type { Rule, RuleOptions } from './rule.js';

const conversions: ReadonlyMap<string, string> = new Map([
  ['int', 'is a number'],
  ['double', 'is a number'],
  ['timestamp', 'is a time'],
  ['duration', 'is a length of time'],
]);

interface Risk {
  readonly offset: number;
  readonly message: string;
}

const isLiteral = ({ op }: ASTNode): boolean => op === 'value';

function ownRisk(node: ASTNode, guards: string): Risk | undefined {
  const unless = (subject: ASTNode, what: string): Risk | undefined => {
    const text = textOf(subject);
    return isLiteral(subject) || guards.includes(text) ? undefined : { offset: node.start, message: `${text} ${what}` };
  };
  switch (node.op) {
    case '[]':
      return unless(node.args[0], 'may be shorter; ask for its size() first');
    case '/':
    case '%':
      return unless(node.args[1], 'may be 0; ask first');
    case 'call': {
      const [subject] = node.args[1];
      const what = conversions.get(node.args[0]);
      return subject === undefined || what === undefined
        ? undefined
        : unless(subject, `must be such that it ${what}; ask with rx first`);
    }
    case 'rcall':
      return node.args[0] === 'substring'
        ? unless(node.args[1], 'may be shorter; ask for its size() first')
        : undefined;
    default:
      return undefined;
  }
}

function risksOf(node: ASTNode, guards: string): Risk[] {
  const own = ownRisk(node, guards);
  const found = own === undefined ? [] : [own];
  if (node.op === '&&' || node.op === '||') {
    const [left, right] = node.args;
    return [...found, ...risksOf(left, guards), ...risksOf(right, `${guards}\n${textOf(left)}`)];
  }
  if (node.op === '?:') {
    const [question, yes, no] = node.args;
    const asked = `${guards}\n${textOf(question)}`;
    return [...found, ...risksOf(question, guards), ...risksOf(yes, asked), ...risksOf(no, asked)];
  }
  return [...found, ...childrenOf(node).flatMap((part) => risksOf(part, guards))];
}

const consequences: { readonly [Consequence in Rule['onFault']]: string } = {
  tempfail: 'mail it cannot be computed for is put off (onFault)',
  skip: 'the rule is left out for mail it cannot be computed for (onFault)',
};

/** One line for each, of a rule that compiles. */
export function faultRisks(document: unknown, options: RuleOptions): string[] {
  const rule = oneRule(document, options);
  if (rule === undefined) return [];
  let guards = '';
  return rule.conditions.flatMap(({ ast, source }, index) => {
    const risks = risksOf(ast, guards);
    guards += `\n${textOf(ast)}`;
    const field = rule.conditions.length === 1 ? 'when' : `when[${index}]`;
    return risks.map(({ offset, message }) => {
      const { line, column } = placeOf(source, offset);
      return `${field}:${line}:${column}: ${message}: ${consequences[rule.onFault]}`;
    });
  });
}
