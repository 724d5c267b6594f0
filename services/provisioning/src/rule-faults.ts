/** What is wrong with rules, each fault with the number of its rule, its field and its value. Pure. */
import { type Fault, type FieldPath, type PlainValue, quoteValue } from '@postern/config';
import {
  asciiReplies,
  availableDatabases,
  compileRules,
  faultRisks,
  notCarriedOut,
  type RuleOptions,
  type RuleProblem,
  type RuleScope,
  submittedOnly,
} from '@postern/rules';

const mostRisks = 10;

/** The paths begin with `rules`. `hasAsn`: the operator names a database of autonomous systems. */
export function ruleFaults(rules: readonly PlainValue[], scope: RuleScope, hasAsn: boolean): Fault[] {
  const options = { ...optionsOf(scope, hasAsn), isNew: true };
  const single = rules.flatMap((rule, index) => {
    // Alone, so that the problem is surely this one's: ids may be missing or given twice.
    const compiled = compileRules([rule], options);
    return compiled.ok ? [] : compiled.errors.map((error) => faultOf(error, ['rules', index], rule));
  });
  if (single.length > 0) return single;
  const together = compileRules(rules, options);
  if (together.ok) return [];
  return together.errors.map((error) => {
    const index = rules.findLastIndex((rule) => fieldOf(rule, ['id']) === error.ruleId);
    return faultOf(error, index < 0 ? ['rules'] : ['rules', index], rules[index]);
  });
}

/** What a rule that can be saved does for some mail alone, or says otherwise than it is written. */
export const ruleNotes = (rule: PlainValue, scope: RuleScope, hasAsn: boolean): string[] =>
  [...submittedOnly(rule, optionsOf(scope, hasAsn)), ...asciiReplies(rule, optionsOf(scope, hasAsn))].slice(
    0,
    mostRisks,
  );

/** The same, and what of it some mail cannot be computed for. */
export const ruleRisks = (rule: PlainValue, scope: RuleScope, hasAsn: boolean): string[] =>
  [...ruleNotes(rule, scope, hasAsn), ...faultRisks(rule, optionsOf(scope, hasAsn))].slice(0, mostRisks);

const optionsOf = (scope: RuleScope, hasAsn: boolean): RuleOptions => ({
  ...{ scope, unsupported: notCarriedOut, available: availableDatabases(hasAsn) },
});

/** `then[0].reject.code` as its steps. */
const stepsOf = (field: string): FieldPath =>
  [...field.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name = '']) =>
    index === undefined ? name : Number(index),
  );

function fieldOf(value: PlainValue | undefined, path: FieldPath): PlainValue | undefined {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return typeof head === 'number' ? fieldOf(value[head], rest) : undefined;
  return Object.hasOwn(value, head) ? fieldOf(value[head], rest) : undefined;
}

function faultOf(
  { field, line, column, message, hint }: RuleProblem,
  at: FieldPath,
  rule: PlainValue | undefined,
): Fault {
  const steps = stepsOf(field);
  const value = fieldOf(rule, steps);
  const way = hint === '' ? '' : `; ${isAdvice(hint) ? hint : `expected ${hint}`}`;
  const path = [...at, ...steps];
  if (value === undefined) return { path, message: way === '' ? `missing: ${message}` : `missing${way}` };
  if (typeof value === 'object' && value !== null) return { path, message: `${message}${way}` };
  const [reason = ''] = message.split('\n');
  const isCondition = steps[0] === 'when' && typeof value === 'string';
  const quoted = quoteValue(value);
  if (isCondition) {
    const place = `(line ${line}, column ${column} of the condition)`;
    return { path, message: `${quoted} is not allowed ${place}: ${reason}${way}` };
  }
  // Some reasons name the value themselves.
  return {
    path,
    message: `${reason.startsWith(`${quoted} `) || reason.startsWith(`${value} `) ? reason : `${quoted} ${reason}`}${way}`,
  };
}

const isAdvice = (hint: string): boolean =>
  /^(see|did|write|give|move|remove|use|known|it is|at most|compare|look|correct|rewrite|ask|available|choose|leave|for example)\b/.test(
    hint,
  );
