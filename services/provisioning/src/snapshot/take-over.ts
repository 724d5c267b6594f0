/**
 * What a new leader puts right first: a database younger than the bucket continues its numbers; a bucket without projection gets all of it.
 */
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { type Bucket, directoryEpochKey } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { ProvisioningEvent } from '../events.js';
import { roleAddresses } from './outbox.js';
import { snapshotKey } from './snapshot-publisher.js';

export interface TakeOverParts {
  readonly withTenant: WithTenant;
  readonly config: Bucket;
  readonly directory: Bucket;
  readonly log: Logger<ProvisioningEvent>;
}

export async function takeOver({ withTenant, config, directory, log }: TakeOverParts): Promise<true> {
  const entry = await config.get(snapshotKey);
  const stored = entry?.value === undefined ? 0 : Snapshot.decode(entry.value).version;
  const missing = (await directory.get(directoryEpochKey))?.value === undefined;
  await withTenant(operatorScope, async (tx) => {
    await tx.run('UPDATE snapshot_version SET version = greatest(version, $1)', [stored]);
    if (!missing) return;
    await tx.run(
      `INSERT INTO outbox (tenant, kind, key) SELECT tenant, 'recipient', address FROM users
       UNION ALL SELECT tenant, 'recipient', address FROM aliases`,
    );
    const domains = await tx.rows<{ name: string }>('SELECT name FROM domains');
    await tx.run("INSERT INTO outbox (tenant, kind, key) SELECT '*', 'recipient', unnest($1::text[])", [
      domains.flatMap((domain) => roleAddresses(domain.name)),
    ]);
    await tx.run(
      `INSERT INTO outbox (tenant, kind, key) SELECT r.tenant, 'secret', 'route.' || r.tenant || '.' || r.name || '.' || (h.at - 1)
       FROM routes r, jsonb_array_elements(r.hosts) WITH ORDINALITY AS h (host, at) WHERE h.host ? 'sealed'
       UNION ALL
       SELECT d.tenant, 'secret', 'dkim.' || d.tenant || '.' || d.name || '.' || (k.key ->> 'selector')
       FROM domains d, jsonb_array_elements(d.dkim_keys) AS k (key)`,
    );
  });
  if (missing) log.info('provisioning.directory.rebuilt');
  return true;
}
