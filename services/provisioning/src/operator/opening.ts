/**
 * The operator file at the start of a pod. While it is wrong the one that was applied last, kept in the database, takes its place; where none was ever
 * applied the start fails with the line that is wrong. A wrong file is told also when there is no database to look into.
 */
import type { Clock } from '@postern/clock';
import type { Logger } from '@postern/telemetry';
import type { ProvisioningConfig } from '../config.js';
import type { Store } from '../database/store.js';
import type { ProvisioningEvent } from '../events.js';
import type { ProvisioningMetrics } from '../metrics.js';
import { type OperatorSource, openOperatorSource } from './source.js';

export interface OpeningParts {
  readonly clock: Clock;
  readonly log: Logger<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
  /** Opened at the first call. */
  readonly store: () => Promise<Store>;
}

export function openOperator(
  {
    operatorFile,
    operatorOverlayFile,
    operatorOverlayTakenFile: takenFile,
    egressPools,
  }: ProvisioningConfig['provisioning'],
  { clock, log, metrics, store }: OpeningParts,
): Promise<OperatorSource> {
  const files = [operatorFile, operatorOverlayFile].filter((file) => file !== undefined);
  return openOperatorSource({ files, takenFile, egressPools }, clock, async (error) => {
    metrics.operatorFile.set(0);
    log.error('provisioning.operator_file.refused', { error: error.message });
    const { refusal, kept } = await store();
    const reading = await kept.read();
    if (reading === undefined) throw error;
    refusal.read(error);
    log.warn('provisioning.operator_file.kept', { file: files.at(-1) });
    return reading;
  });
}
