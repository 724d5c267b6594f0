/** Configuration of the delivery service: what a pod must know before it has a snapshot. Everything else comes from CONFIG. */
import { isIP } from 'node:net';
import { type ConfigOf, commonSections, defineConfig, s } from '@postern/config';

export const deliveryConfig = defineConfig('delivery', {
  nats: commonSections.nats,
  redis: commonSections.redis,
  telemetry: commonSections.telemetry,
  lifecycle: commonSections.lifecycle,
  delivery: s
    .object({
      podName: s
        .string({ minLength: 1, maxLength: 63 })
        .default('delivery')
        .doc('Name of this pod in logs and metrics.'),
      helo: s.domain().optional().doc('Name given in EHLO and LHLO; absent = `hostname` of the operator settings.'),
      egressPools: s
        .list(
          s.object({
            name: s
              .string({ maxLength: 64, pattern: /^[A-Za-z0-9_-]+$/, form: 'a name of letters, digits, - and _' })
              .doc('Name of the egress pool: letters, digits, hyphen, underscore.'),
            localAddresses: s
              .list(
                s.string({ maxLength: 45 }).check('an IP address', (text) => isIP(text) !== 0),
                { max: 64 },
              )
              .default([])
              .doc(
                'Source addresses this pod can bind; empty = any. Mail of a pool never leaves from another address.',
              ),
          }),
          { min: 1, max: 64 },
        )
        .default([{ name: 'default', localAddresses: [] }])
        .doc(
          'Egress pools whose mail this pod takes, each one of `provisioning.egressPools`; with a pool that is not there the pod is not ready.',
        ),
      concurrency: s.integer({ min: 1, max: 4096 }).default(128).doc('Items in work at once per egress pool.'),
      connectionsPerSite: s
        .integer({ min: 1, max: 1000 })
        .default(20)
        .doc('Connections this pod opens to one site at once.'),
      messagesPerConnection: s
        .integer({ min: 1, max: 10_000 })
        .default(100)
        .doc('Messages sent over one connection before it is closed.'),
      idleConnection: s
        .duration({ min: 0, max: 300_000 })
        .default('5s')
        .doc('How long an unused connection is kept for the next message.'),
      connectTimeout: s
        .duration({ min: 100, max: 300_000 })
        .default('30s')
        .doc('Deadline of a TCP connection to a next hop.'),
      mxPort: s.integer({ min: 1, max: 65_535 }).default(25).doc('Port of MX hosts.'),
      dnsServers: s
        .list(s.hostPort(), { max: 16 })
        .default([])
        .doc('DNS servers; empty = those of the snapshot, else those of the machine.'),
      sealKeyFile: s.file().optional().doc('Key of 32 bytes that opens sealed passwords and DKIM keys.'),
      outcomeLinger: s
        .duration({ min: 0, max: 1_000 })
        .default('20ms')
        .doc('How long outcomes are gathered into one message.'),
    })
    .default({})
    .restart()
    .doc('Outbound SMTP and LMTP.'),
});

export type DeliveryConfig = ConfigOf<typeof deliveryConfig>;
