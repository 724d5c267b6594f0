/**
 * `npm run bench:rules`: what one stage of rules costs, and what the queue's do at intake. A thousand rules of which fifty apply: each of
 * twenty recipient domains has fifty, with conditions of four kinds. Prints the time of one evaluation; target: under 100 µs on one core
 * (docs/benchmarks.md).
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise

import { cpuUsage } from 'node:process';
import { systemClock } from '@postern/clock';
import { compileRules, deliveryRules, evaluate, type Facts, type RuleSet } from '@postern/rules';
import { suiteOptions } from '@postern/testkit/suite';

suiteOptions({ name: 'bench:rules', takes: 'some seconds', defaults: {} });

const domains = 20;
const perDomain = 50;
const rounds = 20_000;

const conditions: readonly ((index: number) => string)[] = [
  (index) => `sender.domain.inDomain("s${index}.test")`,
  (index) => `client.address.inNetwork("10.${index % 256}.0.0/16")`,
  (index) => `helo.rx("^mail${index}[.]") || sender.user.startsWith("u${index}")`,
  (index) => `time.hour >= ${index} + 24 && tls.active`,
];

const rulesAt = (event: 'rcpt' | 'relay') =>
  Array.from({ length: domains * perDomain }, (_, index) => ({
    id: `r${index}`,
    event,
    when: `recipient.domain == "d${index % domains}.test" && (${conditions[index % conditions.length]?.(index) ?? 'true'})`,
    then: [event === 'relay' ? { retrySchedule: { delays: [60] } } : { tag: { name: `t${index}` } }],
  }));

const facts = (round: number): Facts => ({
  client: { address: '10.7.1.1', port: 1 },
  helo: 'mail17.sender.test',
  tls: { active: true, version: 'TLSv1.3' },
  sender: { address: 'a@mx.sender.test', domain: 'mx.sender.test', user: 'a' },
  recipient: { address: 'b@x', domain: `d${round % domains}.test`, user: 'b', routing: 'local' },
  recipients: { count: 20 },
  time: { now: new Date(systemClock.now()) },
});

/** As each service narrows them: policy asks all, the queue those about delivery. */
function measure(event: 'rcpt' | 'relay', narrow: (set: RuleSet) => RuleSet): void {
  const begun = systemClock.monotonic();
  const compiled = compileRules(rulesAt(event), { scope: { kind: 'operator' } });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors[0]));
  const set = narrow(compiled.set);
  const compileMs = systemClock.monotonic() - begun;
  const times: number[] = [];
  let asked = 0;
  let cpu = cpuUsage();
  for (let round = 0; round < rounds * 2; round++) {
    const known = facts(round);
    const before = systemClock.monotonic();
    asked = evaluate(set, event, known, { monotonic: () => systemClock.monotonic(), ms: 25 }).asked;
    // The first half warms up.
    if (round === rounds) cpu = cpuUsage();
    if (round >= rounds) times.push(systemClock.monotonic() - before);
  }
  const { user, system } = cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number): string => `${((times[Math.floor(times.length * share)] ?? 0) * 1_000).toFixed(1)} µs`;
  console.log(`${set.size} rules at ${event} compiled in ${compileMs.toFixed(0)} ms; ${asked} asked for a recipient`);
  console.log(
    `one recipient: median ${at(0.5)}, p99 ${at(0.99)}; ${((user + system) / rounds).toFixed(1)} µs of CPU; ${rounds} rounds on one core`,
  );
}

measure('rcpt', (set) => set);
measure('relay', deliveryRules);
