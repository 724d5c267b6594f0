export type { Action, ActionKind, Clientele, RouteAction, RouteTls, TlsVersion } from './action.js';
export { availableDatabases, type Database, notCarriedOut, skippableChecks, type Unsupported } from './carried-out.js';
export { type DeliveryEvent, deliveryRules } from './delivery-rules.js';
export { earlyRefusals, isEarlyRule } from './early-refusals.js';
export { type Budget, type Decision, type Evaluation, evaluate, type Remembered, type RuleFault } from './evaluate.js';
export { isRuleEvent, type RuleEvent, ruleEvents } from './event.js';
export { type FactEntry, type Facts, factEntry, factNames } from './fact-table.js';
export type { RuleProblem } from './problem.js';
export {
  type ChainLink,
  chainProfile,
  type RefusalChain,
  type RuleRests,
  refusalChain,
  withChains,
} from './refusal-chain.js';
export type { RuleDocument, RuleOptions, RuleScope } from './rule.js';
export { createRuleCompiler, type Party, type RuleBook, type RuleChoice, type RuleCompiler } from './rule-book.js';
export { type CompiledRules, compileRules, type RuleSet } from './rule-set.js';
export { isBinding, rulesBetween, scopeAddress } from './scope-address.js';
export { sessionRules } from './session-rules.js';
export { permittableActions, type RuleRights, rightsOf, type StoredRule } from './stored-rule.js';
