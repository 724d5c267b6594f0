export {
  type Action,
  type ActionKind,
  type Clientele,
  permittableActions,
  type RouteAction,
  type RouteTls,
  type TlsVersion,
} from './action.js';
export { actionEntries } from './action-fields.js';
export { isFinal, isOpenToTenants } from './action-rules.js';
export { asciiReplies } from './ascii-replies.js';
export {
  actionEvents,
  availableDatabases,
  type Database,
  notCarriedOut,
  runnableChecks,
  skippableChecks,
  type Unsupported,
} from './carried-out.js';
export { chainProfile, withChains } from './chain-roles.js';
export { checkOfFact } from './check-facts.js';
export { countryInstead } from './country-code.js';
export { type DeliveryEvent, deliveryRules } from './delivery-rules.js';
export { askedLogins, earlyRefusals, isEarlyRule } from './early-refusals.js';
export { type Budget, type Decision, type Evaluation, evaluate, type Remembered, type RuleFault } from './evaluate.js';
export { isRuleEvent, type RuleEvent, ruleEvents } from './event.js';
export { type FactEntry, type Facts, factEntry, factNames } from './fact-table.js';
export { faultRisks } from './fault-risks.js';
export { isDoneLate, lateEvents } from './late-actions.js';
export type { RuleProblem } from './problem.js';
export { type ChainLink, type RefusalChain, type RuleRests, refusalChain } from './refusal-chain.js';
export type { RuleDocument, RuleOptions, RuleScope } from './rule.js';
export { createRuleCompiler, type Party, type RuleBook, type RuleChoice, type RuleCompiler } from './rule-book.js';
export { type CompiledRules, compileRules, type RuleSet } from './rule-set.js';
export { isBinding, rulesBetween, scopeAddress } from './scope-address.js';
export { sessionRules } from './session-rules.js';
export { type RuleRights, rightsOf, type StoredRule } from './stored-rule.js';
export { isStructuredField } from './structured-field.js';
export { submittedOnly } from './submitted-only.js';
