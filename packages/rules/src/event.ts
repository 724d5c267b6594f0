/**
 * The ten moments at which rules are asked, in the order a message meets them. What is known at one moment is known at
 * every later one. The two failure events come after a delivery attempt and know what the next hop answered.
 */
export const ruleEvents = [
  'connect',
  'ehlo',
  'auth',
  'mail',
  'rcpt',
  'headers',
  'body',
  'relay',
  'delivery-failure',
  'temporary-failure',
] as const;

export type RuleEvent = (typeof ruleEvents)[number];

const rank: ReadonlyMap<string, number> = new Map(ruleEvents.map((event, index) => [event, index]));

export function isRuleEvent(value: unknown): value is RuleEvent {
  return typeof value === 'string' && rank.has(value);
}

/** Is what becomes known at `since` known at `event`? The failure events are siblings, both later than relay. */
export function isKnownAt(since: RuleEvent, event: RuleEvent): boolean {
  return (rank.get(since) ?? 0) <= (rank.get(event) ?? 0);
}
