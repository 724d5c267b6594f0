/** Configuration of the provisioning service: infrastructure addresses, ports and secret files. Everything else is in the operator file. */
import { type ConfigOf, commonSections, defineConfig, s } from '@postern/config';

const bytes = s.bytes({ min: 1_048_576 }).optional();

export const provisioningConfig = defineConfig('provisioning', {
  nats: commonSections.nats,
  database: commonSections.database,
  telemetry: commonSections.telemetry,
  scopeKeyFile: commonSections.scopeKeyFile,
  lifecycle: commonSections.lifecycle,
  provisioning: s
    .object({
      listen: s.hostPort().default('127.0.0.1:9010').doc('Where the public gRPC API listens.'),
      credentialsListen: s
        .hostPort()
        .default('127.0.0.1:9011')
        .doc('Where the edge asks about credentials. Never public.'),
      tls: s
        .object({
          certFile: s.file().doc('Certificate chain of the public API, PEM.'),
          keyFile: s.file().doc('Its private key, PEM.'),
        })
        .optional()
        .doc('TLS of the public API. Absent: plain, for loopback and meshes only.'),
      operatorFile: s
        .file()
        .optional()
        .doc(
          'Operator settings (YAML); watched. Absent: every default. The one applied last is kept for starts while it is wrong.',
        ),
      operatorOverlayFile: s
        .file()
        .optional()
        .doc(
          'Operator settings above operatorFile: maps are merged, tenants joined by name. Sections of services are skipped.',
        ),
      operatorOverlayTakenFile: s
        .file()
        .optional()
        .doc(
          'Copy of operatorOverlayFile from when the services were started: what its sections of services say otherwise now is told as waiting for a new start. Absent: as it was when this process started.',
        ),
      sealKeyFile: s.file().doc('32 bytes that seal route passwords; the same file is in delivery.'),
      bootstrapKeyFile: s.file().doc('Operator API key. Made at the first start when it is missing.'),
      migrationsDatabase: s
        .object({
          url: s.url(['postgres', 'postgresql']).doc('Database with the role that owns the schema config.'),
          passwordFile: s.file().optional().doc('File with the password of that role.'),
        })
        .optional()
        .doc('Owner of the schema. Absent: the role of `database` owns it.'),
      queue: s
        .object({ address: s.hostPort().optional().doc('gRPC of queue, for queue, trace and ledger calls.') })
        .doc('Where calls about the queue are forwarded to.'),
      policy: s
        .object({
          addresses: s.list(s.hostPort(), { max: 64 }).default([]).doc('gRPC of policy pods, for simulation.'),
        })
        .doc('Where simulations are forwarded to.'),
      natsMonitors: s
        .list(s.url(), { max: 32 })
        .default([])
        .doc(
          'Monitoring endpoints of every NATS server; read for `status`, since only they tell whether writes are synced.',
        ),
      egressPools: s
        .list(s.string({ maxLength: 64, pattern: /^[A-Za-z0-9_-]+$/, form: 'a name of letters, digits, - and _' }), {
          min: 1,
          max: 256,
        })
        .check('default among them: mail that names no pool leaves by it', (pools) => pools.includes('default'))
        .default(['default'])
        .doc(
          'Egress pools there are, `default` among them: each gets a consumer on WORK. Routes, next hops and rules can name no other, and mail of one that was taken away waits. `delivery.egressPools` says which of them a pod takes.',
        ),
      streams: s
        .object({
          replicas: s
            .integer({ min: 1, max: 5 })
            .check('1, 3 or 5', (copies) => [1, 3, 5].includes(copies))
            .default(1)
            .doc('Copies of every stream: 1, 3 or 5.'),
          maxBytes: s
            .object({
              SPOOL: bytes.doc('Limit of SPOOL.'),
              WORK: bytes.doc('Limit of WORK.'),
              BODIES: bytes.doc('Limit of BODIES.'),
              OUTCOMES: bytes.doc('Limit of OUTCOMES.'),
              TRACE: bytes.doc('Limit of TRACE.'),
              PARKED: bytes.doc('Limit of PARKED.'),
            })
            .doc('Size limits of streams where they differ from the declared ones.'),
        })
        .doc('Streams, which this service creates and brings up to date.'),
      credentials: s
        .object({
          concurrentHashes: s
            .integer({ min: 1, max: 64 })
            .default(2)
            .doc('Password hashes at once; each takes 19 MiB and a core.'),
          waitingHashes: s
            .integer({ min: 0, max: 100_000 })
            .default(512)
            .doc('Logins that may wait for a hash; more are told 454.'),
          cacheFor: s
            .duration({ max: 3_600_000 })
            .default('1m')
            .doc('How long a right password needs no new hash; 0 = off.'),
        })
        .doc('Verification of logins.'),
    })
    .restart(),
});

export type ProvisioningConfig = ConfigOf<typeof provisioningConfig>;
