export { type AccessTable, compileAccess } from './access.js';
export { earlyRefusal } from './early-refusal.js';
export { type ExtensionKeyword, extensionKeywords } from './extensions.js';
export { operatorTenant, ownerOf } from './finding-owner.js';
export { isAbout, withoutTexts } from './finding-subject.js';
export { countReceived } from './hop-count.js';
export type { AgreedSettings, ListenerPolicy } from './listener-policy.js';
export { isAcceptance, refusalOf, refusalOfGroups } from './refusal.js';
export { type LimitName, limitNames, limitSetters, type RefusingLimit, refusingLimit } from './refusing-limit.js';
export { recipientRight, submittingTenant } from './relay-right.js';
export { ruledPolicy } from './ruled-policy.js';
export { limitSource, ruleNamed, type SaidBy } from './said-by.js';
export {
  compileTerms,
  findIn,
  type SessionTerms,
  type TermsCompilers,
  type TermsObserver,
  termsCompilers,
  trieOf,
  unobserved,
} from './session-terms.js';
export type { Greeting, ListenerFacts, ListenerRole, Login, SessionView, TlsFacts } from './session-view.js';
export { recipientBarrier } from './transaction-ruling.js';
export {
  type LimitedBy,
  listenerDemand,
  mailTerms,
  mechanismRefusal,
  namedMechanisms,
  recipientLimit,
  sizeLimit,
  type TermsRefusal,
} from './transaction-terms.js';
