/** The database as this pod uses it: migrated, reached with a role that row-level security binds, with what is noted there about the operator file. */
import type { Clock } from '@postern/clock';
import type { Logger } from '@postern/telemetry';
import type { Pool } from 'pg';
import type { ProvisioningConfig } from '../config.js';
import type { ProvisioningEvent } from '../events.js';
import { KeptDocument } from '../operator/kept-document.js';
import { RefusalNote } from '../operator/refusal.js';
import type { Sealer } from '../secrets/seal.js';
import { migrate } from './migrate.js';
import { assertConfinedRole, type DatabaseTarget, openPool, readDatabaseTarget } from './pool.js';
import { tenantScopes, type WithTenant } from './tenant-scope.js';

export interface Store {
  readonly target: DatabaseTarget;
  readonly withTenant: WithTenant;
  /** Why the operator file is refused, for every pod to tell. */
  readonly refusal: RefusalNote;
  /** The operator file that was applied last. */
  readonly kept: KeptDocument;
  close(): Promise<void>;
}

export interface StoreParts {
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Logger<ProvisioningEvent>;
}

export async function openStore(config: ProvisioningConfig, { sealer, clock, log }: StoreParts): Promise<Store> {
  const { migrationsDatabase } = config.provisioning;
  const target = await readDatabaseTarget(config.database);
  const owner =
    migrationsDatabase === undefined ? target : await readDatabaseTarget({ connections: 1, ...migrationsDatabase });
  const ran = await migrate(owner, target.role);
  if (ran.length > 0) log.info('provisioning.migrations.applied', { files: ran });
  const pool = await openConfined(target, log);
  const withTenant = tenantScopes(pool);
  return {
    target,
    withTenant,
    refusal: new RefusalNote(withTenant, clock),
    kept: new KeptDocument(withTenant, sealer),
    close: () => pool.end(),
  };
}

async function openConfined(target: DatabaseTarget, log: Logger<ProvisioningEvent>): Promise<Pool> {
  const pool = openPool(target, (error) => log.warn('provisioning.database.failed', { error }));
  try {
    await assertConfinedRole(pool);
    return pool;
  } catch (error) {
    await pool.end();
    throw error;
  }
}
