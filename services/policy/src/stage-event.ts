/** Stages of the contract and events of rules are the same moments under two names. */
import { Stage } from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';

const pairs: readonly (readonly [Stage, RuleEvent])[] = [
  [Stage.CONNECT, 'connect'],
  [Stage.EHLO, 'ehlo'],
  [Stage.AUTH, 'auth'],
  [Stage.MAIL, 'mail'],
  [Stage.RCPT, 'rcpt'],
  [Stage.HEADERS, 'headers'],
  [Stage.BODY, 'body'],
];

const events = new Map(pairs);
const stages = new Map(pairs.map(([stage, event]) => [event, stage]));

export const eventOf = (stage: Stage): RuleEvent | undefined => events.get(stage);
export const stageOf = (event: RuleEvent): Stage => stages.get(event) ?? Stage.UNSPECIFIED;
