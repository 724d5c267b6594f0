/** Everything of the database that goes into a snapshot: one statement, so one state of the database. */
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { SnapshotRows } from './compile.js';

const sql = `SELECT
  (SELECT coalesce(jsonb_agg(r), '[]') FROM (SELECT name, state, weight, message_limit, user_message_limit, records_sessions
    FROM tenants ORDER BY name) r) AS tenants,
  (SELECT coalesce(jsonb_agg(r), '[]') FROM (SELECT name, tenant, next_hop, validate_recipients, catch_all, dkim_keys
    FROM domains WHERE verified ORDER BY name) r) AS domains,
  (SELECT name FROM domains WHERE verified ORDER BY coalesce(verified_at, created_at), name LIMIT 1) AS oldest_domain,
  (SELECT coalesce(jsonb_agg(r), '[]') FROM (SELECT tenant, name, hosts, egress_pool FROM routes ORDER BY tenant, name) r) AS routes,
  (SELECT coalesce(jsonb_agg(r), '[]') FROM (SELECT tenant, scope, id, version, document
    FROM rules ORDER BY tenant, scope, priority, created_at, id) r) AS rules,
  (SELECT coalesce(jsonb_agg(r), '[]') FROM (SELECT tenant, scope, document FROM check_settings
    WHERE position('@' in scope) = 0 ORDER BY tenant, scope) r) AS check_settings,
  EXISTS (SELECT 1 FROM check_settings WHERE position('@' in scope) > 0) AS users_set_checks`;

export async function readSnapshotRows(withTenant: WithTenant): Promise<SnapshotRows> {
  const [rows] = await withTenant(operatorScope, (tx) => tx.rows<SnapshotRows>(sql));
  const none = { tenants: [], domains: [], oldest_domain: null, routes: [], rules: [], check_settings: [] };
  return rows ?? { ...none, users_set_checks: false };
}
