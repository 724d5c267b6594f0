/**
 * The ways a batch of outcomes is settled in this pod: as it comes from OUTCOMES, for rows whose lifetime is over, by dispatch and by hand.
 * They differ in whether rules about failures speak and whether bodies are recorded; the transaction itself is `settle.ts`.
 */
import type { Random } from '@postern/clock';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import type { QueueConfig } from './config.js';
import { groupNumber } from './item-id.js';
import { ledgerShards } from './ledger.js';
import type { PolicyInUse } from './policy-in-use.js';
import { ruleFailures } from './rules/failure-rules.js';
import type { DeliveryRuling } from './rules/rule-observer.js';
import { type Settled, type SettleOptions, settle } from './settle.js';
import type { Database, Transaction } from './store/database.js';
import { foldOutcomes, type UnitChange } from './unit-change.js';

export interface SettlementParts {
  readonly database: Database;
  readonly random: Random;
  readonly policy: () => PolicyInUse;
  readonly ruling: DeliveryRuling;
  readonly settings: QueueConfig['queue'];
}

export interface Settlements {
  /** What came over OUTCOMES, in a transaction of its own: rules about failures speak. */
  fromStream(outcomes: readonly Outcome[], changes: readonly UnitChange[]): Promise<Settled>;
  /** Rows whose lifetime is over: rules about failures speak. */
  overdue(transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled>;
  /** Rows that end here: their bodies are recorded already, and a tenant's scope may not write them. */
  rows(transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled>;
  /** Mail of which no row may exist yet: its bodies are recorded too. */
  parked(transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled>;
}

export function createSettlements({ database, random, policy, ruling, settings }: SettlementParts): Settlements {
  const options = (withBodies: boolean): SettleOptions => ({
    schedule: settings.delayNotice ? policy().schedule : { ...policy().schedule, delayNoticeMs: 0 },
    shard: groupNumber([settings.podName]) % ledgerShards,
    random: () => random.float(),
    withBodies,
  });
  const told = (changes: readonly UnitChange[]): void => {
    for (const { queueId, ruled } of changes) if (ruled.length > 0) ruling.applied(queueId, ruled);
  };
  return {
    async fromStream(outcomes, changes) {
      ruleFailures(ruling.parts(policy()), changes);
      const settled = await database.service((transaction) => settle(transaction, outcomes, changes, options(true)));
      told(changes);
      return settled;
    },
    async overdue(transaction, outcomes) {
      const changes = folded(outcomes);
      ruleFailures(ruling.parts(policy()), changes);
      const settled = await settle(transaction, outcomes, changes, options(false));
      told(changes);
      return settled;
    },
    rows: async (transaction, outcomes) => settle(transaction, outcomes, folded(outcomes), options(false)),
    parked: async (transaction, outcomes) => settle(transaction, outcomes, folded(outcomes), options(true)),
  };
}

function folded(outcomes: readonly Outcome[]): readonly UnitChange[] {
  const result = foldOutcomes(outcomes);
  if (!result.ok) throw new RangeError(result.reason);
  return result.changes;
}
