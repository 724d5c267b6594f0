/** Configuration of the policy service: what a pod must know before it has a snapshot. Checks and rules come from CONFIG. */
import { type ConfigOf, commonSections, defineConfig, s } from '@postern/config';

export const policyConfig = defineConfig('policy', {
  nats: commonSections.nats,
  redis: commonSections.redis,
  telemetry: commonSections.telemetry,
  scopeKeyFile: commonSections.scopeKeyFile,
  lifecycle: commonSections.lifecycle,
  policy: s
    .object({
      listen: s.hostPort().default('127.0.0.1:9001').doc('Where edges and provisioning call.'),
      podName: s
        .string({ minLength: 1, maxLength: 63 })
        .default('policy')
        .doc('Name of this pod in verdicts and logs.'),
      dns: s.object({
        servers: s
          .list(s.hostPort(), { max: 16 })
          .default([])
          .doc('DNS servers; empty = those of the machine. Servers of the snapshot go before them.'),
      }),
      countryDatabase: s
        .file()
        .optional()
        .doc('MMDB file with countries, read again when it changes; absent = the one that is shipped.'),
      inlineLimit: s
        .bytes({ min: 1_024, max: 3_145_728 })
        .default('128KiB')
        .doc('Largest message taken within one request; a larger one comes by the Content call.'),
      credit: s
        .integer({ min: 1, max: 65_535 })
        .default(256)
        .doc('Requests one edge may have outstanding on its stream.'),
      concurrency: s
        .integer({ min: 1, max: 65_535 })
        .default(2_048)
        .doc('Requests in evaluation at once over all callers; more are refused as overload.'),
      bodyThreads: s
        .integer({ min: 0, max: 64 })
        .default(1)
        .doc('Threads on which large bodies are hashed for DKIM and ARC, started when needed; 0 = on the main thread.'),
      bodiesOnThreads: s
        .integer({ min: 1, max: 10_000 })
        .default(256)
        .doc('Bodies on these threads at once; one more is hashed on the main thread, chunk by chunk.'),
      directoryEntries: s
        .integer({ min: 100, max: 10_000_000 })
        .default(100_000)
        .doc('Recipients kept in memory, absent ones included.'),
      maxHops: s
        .integer({ min: 10, max: 1_000 })
        .default(30)
        .doc('Most Received fields of a simulated message, with one more it loops: as `edge.maxHops`.'),
      maxLineLength: s
        .bytes({ min: 998, max: 1_048_576 })
        .default('64KiB')
        .doc('Longest line of a simulated message: as `edge.maxLineLength`.'),
    })
    .default({})
    .restart()
    .doc('Judgement of sessions and messages.'),
});

export type PolicyConfig = ConfigOf<typeof policyConfig>;
