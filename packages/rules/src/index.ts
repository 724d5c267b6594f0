export type { Action, ActionKind, Clientele, RouteTls, TlsVersion } from './action.js';
export { notCarriedOut, skippableChecks, type Unsupported } from './carried-out.js';
export { type Budget, type Decision, type Evaluation, evaluate, type RuleFault } from './evaluate.js';
export { isRuleEvent, type RuleEvent, ruleEvents } from './event.js';
export { type FactEntry, type Facts, factEntry, factNames } from './fact-table.js';
export type { RuleProblem } from './problem.js';
export type { RuleDocument, RuleOptions, RuleScope } from './rule.js';
export { type CompiledRules, compileRules, type RuleSet } from './rule-set.js';
