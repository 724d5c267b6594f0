/** For the tests of this service: a judge over plain-data zones and a directory in memory, and requests made of a few words. */
import { type Clock, FakeClock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import { createZone, type ZoneData } from '@postern/dns/testing';
import { type DeepPartial, Snapshot } from '@postern/proto/config/v1/snapshot';
import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { EvaluateRequest, type EvaluateResponse, SessionFacts, Stage } from '@postern/proto/policy/v1/policy_service';
import { createRuleCompiler, withChains } from '@postern/rules';
import type { CheckTools } from '../check-tools.js';
import type { Directory, Lookup } from '../directory/directory.js';
import { createJudge, type Judge } from '../judge.js';
import type { Recorder } from '../recording/recorder.js';
import { createRuleRunner } from '../rules/rule-runner.js';
import { type CompiledSnapshot, compileSnapshot } from '../snapshot/compile.js';

type PartialSnapshot = DeepPartial<Snapshot>;

export interface GroundOptions {
  readonly zone?: ZoneData;
  readonly resolver?: Resolver;
  readonly clock?: Clock;
  readonly snapshot?: PartialSnapshot;
  /** Rules of the operator, written as objects. */
  readonly rules?: readonly object[];
  /** By tenant, or `tenant domain` and `tenant user@domain`. */
  readonly tenantRules?: Readonly<Record<string, readonly object[]>>;
  readonly entries?: Readonly<Record<string, 'user' | 'disabled' | readonly string[]>>;
  readonly directory?: Directory;
  readonly tools?: Partial<CheckTools>;
  readonly recorder?: Recorder;
}

export interface Ground {
  readonly judge: Judge;
  readonly snapshot: CompiledSnapshot;
  /** `check outcome seconds` of every finding counted. */
  readonly observed: string[];
  readonly faults: string[];
  /** `event action` of every decision of a rule. */
  readonly ruled: string[];
}

export function memoryDirectory(entries: GroundOptions['entries'] = {}): Directory {
  return {
    lookup: (address): Lookup => {
      const entry = entries[address];
      if (entry === undefined) return { kind: 'absent' };
      const isList = typeof entry !== 'string';
      return {
        kind: 'found',
        entry: RecipientEntry.fromPartial({
          address,
          tenant: 't1',
          kind: isList ? RecipientKind.ALIAS : RecipientKind.USER,
          targets: isList ? [...entry] : [],
          enabled: entry !== 'disabled',
        }),
      };
    },
  };
}

/** Settings of checks as the snapshot holds them: only the named ones are on. */
export function settings(checks: Readonly<Record<string, object>>): { readonly checks: { readonly document: string } } {
  const off = { spf: { enabled: false }, dkim: { enabled: false }, dmarc: { enabled: false } };
  const on = Object.fromEntries(Object.entries(checks).map(([name, fields]) => [name, { enabled: true, ...fields }]));
  return { checks: { document: JSON.stringify({ ...off, ...on }) } };
}

const storedRules = (rules: readonly object[], scope: string, tenant: string, target = '') =>
  rules.map((rule, index) => ({
    id: `${scope}-${index + 1}`,
    version: 3,
    scope,
    tenant,
    target,
    document: JSON.stringify(rule),
  }));

function storedTenantRules([owner, rules]: readonly [string, readonly object[]]) {
  const [tenant = '', target = ''] = owner.split(' ');
  const scope = target === '' ? 'tenant' : target.includes('@') ? 'user' : 'domain';
  return storedRules(rules, scope, tenant, target);
}

const idleTools: CheckTools = {
  greylist: { ask: async () => ({ outcome: 'unavailable', waitMs: 0 }) },
  country: { of: () => undefined },
  asn: { of: () => 0 },
  listHealth: { usable: () => true },
  callForward: { ask: async () => 'unavailable' },
};

export function ground(options: GroundOptions = {}): Ground {
  const clock = options.clock ?? new FakeClock();
  const observed: string[] = [];
  const faults: string[] = [];
  const ruled: string[] = [];
  const compiler = createRuleCompiler((...refused) => faults.push(refused.join(' ')), withChains);
  const snapshot = compileSnapshot(
    Snapshot.fromPartial({
      version: 7,
      hostname: 'mx.postern.test',
      domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true, nextHop: 'sink', catchAll: '' }],
      ...options.snapshot,
      rules: [
        ...storedRules(options.rules ?? [], 'server', ''),
        ...Object.entries(options.tenantRules ?? {}).flatMap(storedTenantRules),
      ],
    }),
    compiler,
    (scope, reason) => faults.push(`${scope} ${reason}`),
  );
  const ruleFaults = {
    failed: (rule: string, message: string) => faults.push(`${rule} ${message}`),
    unfinished: (event: string) => faults.push(`unfinished ${event}`),
  };
  const judge = createJudge({
    clock,
    resolver: options.resolver ?? createZone(options.zone, clock),
    directory: options.directory ?? memoryDirectory(options.entries ?? { 'user@here.test': 'user' }),
    tools: { ...idleTools, ...options.tools },
    observer: {
      observed: (check, outcome) => observed.push(`${check} ${outcome}`),
      failed: (check, error) => faults.push(`${check} ${String(error)}`),
      unusable: (zone, answer) => faults.push(`${zone} ${answer}`),
      hurried: (check, timeoutMs, deadlineMs) => faults.push(`${check} ${timeoutMs} of ${deadlineMs}`),
      apart: (because) => observed.push(`apart ${because}`),
    },
    askRules: createRuleRunner(clock, {
      ...ruleFaults,
      decided: (event, action) => ruled.push(`${event} ${action}`),
    }),
    supposeRules: createRuleRunner(clock, { ...ruleFaults, decided: () => undefined }),
    pod: 'policy-1',
    inlineLimit: 131_072,
    concurrency: 100,
    snapshot: () => snapshot,
    ...(options.recorder === undefined ? {} : { recorder: options.recorder }),
  });
  return { judge, snapshot, observed, faults, ruled };
}

type DescribedRecipient = string | { readonly address: string; readonly tenant: string; readonly relay?: boolean };

const recipientOf = (one: DescribedRecipient, asked: boolean) => ({
  address: typeof one === 'string' ? one : one.address,
  tenant: typeof one === 'string' ? 't1' : one.tenant,
  recipientClass: typeof one !== 'string' && one.relay === true ? RecipientClass.RELAY : RecipientClass.LOCAL,
  asked,
});

export interface Described {
  readonly from?: string;
  readonly to?: readonly DescribedRecipient[];
  /** Taken by requests before. */
  readonly taken?: readonly DescribedRecipient[];
  readonly client?: string;
  readonly helo?: string;
  /** SIZE= of MAIL. */
  readonly declaredSize?: number;
  readonly role?: string;
  readonly user?: string;
  readonly tenant?: string;
  readonly relayRight?: boolean;
  readonly findings?: SessionFacts['findings'];
  readonly asked?: boolean;
  readonly skipChecks?: readonly string[];
  readonly addressSuspected?: boolean;
}

export function factsOf(described: Described = {}): SessionFacts {
  const to = described.to ?? ['user@here.test'];
  return SessionFacts.fromPartial({
    origin: {
      clientAddress: described.client ?? '192.0.2.10',
      clientPort: 40_000,
      helo: described.helo ?? 'client.test',
      listener: 'mx',
      authenticatedUser: described.user ?? '',
    },
    listenerRole: described.role ?? 'mx',
    esmtp: true,
    submittingTenant: described.tenant ?? '',
    reversePath: described.from ?? 'a@sender.test',
    hasReversePath: true,
    declaredSize: described.declaredSize ?? 0,
    relayRight: described.relayRight ?? described.user !== undefined,
    recipients: [
      ...(described.taken ?? []).map((one) => recipientOf(one, false)),
      ...to.map((one) => recipientOf(one, described.asked ?? true)),
    ],
    findings: described.findings ?? [],
    skipChecks: [...(described.skipChecks ?? [])],
    addressSuspected: described.addressSuspected === true,
  });
}

export const envelopeStages: Stage[] = [Stage.CONNECT, Stage.EHLO, Stage.MAIL, Stage.RCPT];

export function askEnvelope({ judge }: Ground, described: Described = {}, stages = envelopeStages) {
  return judge.evaluate(
    EvaluateRequest.fromPartial({ sessionId: 's', sequence: 1, stages, facts: factsOf(described) }),
    5_000,
  );
}

export function askContent({ judge }: Ground, message: string, described: Described, before?: EvaluateResponse) {
  const facts = factsOf({ ...described, asked: false, findings: before?.findings ?? described.findings ?? [] });
  const content = Buffer.from(message.replaceAll('\n', '\r\n'));
  const stages = [Stage.HEADERS, Stage.BODY];
  return judge.evaluate(
    EvaluateRequest.fromPartial({ sessionId: 's', sequence: 2, stages, facts, content, contentSize: content.length }),
    5_000,
  );
}
