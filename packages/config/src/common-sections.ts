/**
 * Sections several services share in one file, and the names of the sections of services. A service's definition
 * takes those it needs; those it does not take are ignored when it reads the file.
 */
import { s } from './s.js';

const nats = s
  .object({
    servers: s
      .list(s.hostPort(), { min: 1, max: 32 })
      .default(['127.0.0.1:4222'])
      .doc('Servers of the cluster; any of them leads to the others.'),
    user: s.string({ minLength: 1, maxLength: 128 }).optional().doc('User of this service. One user per service.'),
    passwordFile: s.file().optional().doc('File with the password of the user.'),
    tlsCaFile: s.file().optional().doc('Certificate authority of the servers. Given: TLS is required.'),
  })
  .restart()
  .doc('NATS with JetStream: accepted mail and the configuration in use.');

const redis = s
  .object({
    url: s.url(['redis', 'rediss']).default('redis://127.0.0.1:6379').doc('Redis or Valkey; rediss:// for TLS.'),
    username: s.string({ minLength: 1, maxLength: 128 }).optional().doc('User of this service in the ACL.'),
    passwordFile: s.file().optional().doc('File with the password of the user.'),
    tlsCaFile: s.file().optional().doc('Certificate authority of the server; used with rediss://.'),
    cluster: s.boolean().default(false).doc('The URL is any node of a Redis Cluster.'),
    persistentUrl: s
      .url(['redis', 'rediss'])
      .optional()
      .doc(
        'A second server that keeps its data, for bans, failed logins and the greylist; same login. By default the first.',
      ),
  })
  .restart()
  .doc('Limits, leases, greylist and bans.');

const database = s
  .object({
    url: s
      .url(['postgres', 'postgresql'])
      .default('postgres://127.0.0.1:5432/postern')
      .doc('PostgreSQL database with the role of this service, without the password.'),
    passwordFile: s.file().optional().doc('File with the password of the role.'),
    tlsCaFile: s.file().optional().doc('Certificate authority of the server. Given: TLS is required.'),
    connections: s.integer({ min: 1, max: 200 }).default(10).doc('Most connections one pod opens.'),
  })
  .restart()
  .doc('PostgreSQL.');

const telemetry = s
  .object({
    level: s
      .enumeration(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .doc('Lowest level that is logged.'),
    metrics: s.hostPort().default('127.0.0.1:9090').doc('Where /metrics, /healthz and /readyz are served.'),
    otlpUrl: s.url(['http', 'https']).optional().doc('OTLP/HTTP collector for traces. Absent: nothing is exported.'),
    traceSampleRatio: s.number({ min: 0, max: 1 }).default(0.01).doc('Share of new traces that is exported.'),
    addresses: s
      .enumeration(['full', 'domain', 'hashed'])
      .default('full')
      .doc('How mail addresses appear in logs: whole, only their domain, or a hash in place of the local part.'),
  })
  .restart()
  .doc('Logs, metrics and traces.');

const scopeKeyFile = s
  .file()
  .optional()
  .restart()
  .doc('Key all services share to sign and verify the tenant scope of calls between them; at least 32 bytes.');

const lifecycle = s
  .object({
    drainTimeout: s
      .duration({ min: 0, max: 3_600_000 })
      .default('30s')
      .doc('How long work in flight may go on after SIGTERM. Keep it below the grace period of the pod.'),
  })
  .restart()
  .doc('Start and stop.');

export const commonSections = { nats, redis, database, telemetry, scopeKeyFile, lifecycle };

/** Top-level sections other programs own: ignored by a service that does not define them itself. */
export const serviceSections = ['edge', 'policy', 'queue', 'delivery', 'provisioning'] as const;
