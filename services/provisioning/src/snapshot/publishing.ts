/**
 * Publishes what the database and the operator file say for as long as this pod lives: it watches the file, and campaigns to be the one pod that turns
 * changes into snapshots. `first` is what the start waits for: a snapshot is there, whoever made it, and this pod's own file had its chance to be refused.
 */
import type { Clock } from '@postern/clock';
import type { ConfigError } from '@postern/config';
import type { Logger } from '@postern/telemetry';
import type { DatabaseTarget } from '../database/pool.js';
import type { ProvisioningEvent } from '../events.js';
import type { OperatorSource } from '../operator/source.js';
import { type Campaign, campaign } from './leadership.js';
import { Projector, type ProjectorParts } from './projector.js';
import { snapshotKey } from './snapshot-publisher.js';

export interface PublishingParts extends Omit<ProjectorParts, 'onFirstRefusal' | 'onSettled'> {
  readonly target: DatabaseTarget;
}

export interface Publishing extends Campaign {
  /** Rejects when the file cannot be applied and none was before. */
  first(signal: AbortSignal): Promise<void>;
}

const firstSnapshotPollMs = 250;
const refusalMs = 2_000;

export function startPublishing(parts: PublishingParts): Publishing {
  const { target, clock, log, config } = parts;
  const settled = Promise.withResolvers<void>();
  settled.promise.catch(() => undefined);
  const projector = new Projector({
    ...parts,
    onFirstRefusal: (error: ConfigError) => settled.reject(error),
    onSettled: settled.resolve,
  });
  watchOperator(parts, projector);
  const publishing = campaign(
    target,
    clock,
    (lease) => projector.lead(lease),
    (error) => log.warn('provisioning.outbox.failed', { error }),
  );
  return {
    ...publishing,
    async first(signal) {
      const waiting = new AbortController();
      const published = publishedByAny(config, clock, AbortSignal.any([signal, waiting.signal]));
      published.catch(() => undefined);
      try {
        await Promise.race([settled.promise, published]);
      } finally {
        waiting.abort();
      }
    },
  };
}

/** Another pod may lead: then its snapshot is what this one waits for. */
async function publishedByAny(config: ProjectorParts['config'], clock: Clock, signal: AbortSignal): Promise<void> {
  while ((await config.get(snapshotKey).catch(() => undefined))?.value === undefined)
    await clock.sleep(firstSnapshotPollMs, signal);
  // This pod's own first file is still judged when it leads; give it the chance to refuse.
  await clock.sleep(refusalMs, signal);
}

function watchOperator({ operator, refusal, log, metrics }: PublishingParts, projector: Projector): void {
  const tellPostponed = postponedTeller(operator, log);
  tellPostponed();
  operator.watch(
    () => {
      refusal.read(undefined);
      tellPostponed();
      projector.operatorChanged();
    },
    (error) => {
      refusal.read(error);
      projector.operatorUnreadable();
      metrics.operatorFile.set(0);
      log.error('provisioning.operator_file.refused', { error: error.message });
    },
  );
}

/** What waits for a new start: once for each state of it. */
function postponedTeller(operator: OperatorSource, log: Logger<ProvisioningEvent>): () => void {
  let told = '';
  return () => {
    const fields = operator.postponed().join('\n');
    if (fields !== '' && fields !== told)
      log.warn('provisioning.operator_file.postponed', { file: operator.name, fields });
    told = fields;
  };
}
