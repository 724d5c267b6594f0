/** Configuration of the edge: infrastructure addresses, listeners, files. Everything a tenant or operator changes while it runs is in CONFIG. */
import {
  type ConfigOf,
  commonSections,
  defineConfig,
  type Fault,
  formatHostPort,
  type Infer,
  overlap,
  s,
} from '@postern/config';
import { tlsFaults } from './tls/material-faults.js';

const listener = s.object({
  name: s
    .string({ minLength: 1, maxLength: 63, pattern: /^[A-Za-z0-9_-]+$/ })
    .doc('Name; settings of the snapshot go by it.'),
  role: s
    .enumeration(['mx', 'submission', 'submissions'])
    .doc('mx: port 25. submission: STARTTLS, then AUTH. submissions: TLS from the first byte.'),
  address: s.hostPort().doc('Where it listens.'),
  proxyProtocol: s
    .boolean()
    .default(false)
    .doc(
      'Every connection must begin with a PROXY header of a trusted proxy; others are dropped. On where it is on here or in the settings of the listener.',
    ),
});

const fields = {
  nats: commonSections.nats,
  redis: commonSections.redis,
  telemetry: commonSections.telemetry,
  scopeKeyFile: commonSections.scopeKeyFile,
  lifecycle: commonSections.lifecycle,
  edge: s
    .object({
      podName: s
        .string({ minLength: 1, maxLength: 63 })
        .default('edge')
        .doc('Name of this pod; differs from pod to pod.'),
      workers: s
        .object({
          min: s.integer({ min: 1, max: 64 }).default(1).doc('Worker processes at the least.'),
          max: s
            .integer({ min: 1, max: 64 })
            .default(1)
            .doc('Worker processes at the most; more than the pod has CPUs gain nothing. 1: the pod is one process.'),
          growAt: s
            .number({ min: 0.05, max: 1 })
            .default(0.7)
            .doc('One more when their event loops are busy for this share of the time, on average.'),
          shrinkAt: s
            .number({ min: 0, max: 0.95 })
            .default(0.4)
            .doc('One fewer when those left would be busy for at most this share.'),
          growAfter: s.duration({ min: 1_000, max: 3_600_000 }).default('5s').doc('How long it must have been so.'),
          shrinkAfter: s
            .duration({ min: 1_000, max: 86_400_000 })
            .default('2m')
            .doc('How long it must have been so; sessions of the one that goes are ended with 421.'),
        })
        .doc('Processes of this pod that share the ports of its listeners.'),
      listeners: s
        .list(listener, { min: 1, max: 64 })
        .default([
          { name: 'mx', role: 'mx', address: '127.0.0.1:2525' },
          { name: 'submission', role: 'submission', address: '127.0.0.1:2587' },
          { name: 'submissions', role: 'submissions', address: '127.0.0.1:2465' },
        ])
        .doc('Listeners of this pod. Everything else of a listener is an operator setting, by its name.'),
      moreListeners: s
        .list(listener, { max: 64 })
        .default([])
        .doc('Listeners besides those; with `npm start` the way to have further ones.'),
      portOffset: s
        .integer({ min: 0, max: 1_000 })
        .default(0)
        .doc('Added to the ports of moreListeners, so that several edges on one machine may share a file.'),
      tls: s
        .object({
          certFile: s.file().doc('Certificate chain, PEM. Watched: a changed file is used for new handshakes.'),
          keyFile: s.file().doc('Its private key, PEM.'),
        })
        .optional()
        .doc(
          'Certificate `default`. Without any certificate there is no STARTTLS and role submissions does not start.',
        ),
      certificates: s
        .list(
          s.object({
            name: s
              .string({ minLength: 1, maxLength: 63, pattern: /^[A-Za-z0-9_.-]+$/ })
              .doc('Name listeners know it by.'),
            certFile: s.file().doc('Certificate chain, PEM. Watched as that of edge.tls is.'),
            keyFile: s.file().doc('Its private key, PEM.'),
          }),
          { max: 64 },
        )
        .default([])
        .doc('Further certificates; which one is used goes by the name the client asks for (SNI).'),
      ticketKeyFile: s
        .file()
        .optional()
        .doc('At least 32 random bytes, the same on every pod: TLS sessions are resumed on any of them. Watched.'),
      policy: s
        .object({
          addresses: s
            .list(s.string({ minLength: 3, maxLength: 300 }), { min: 1, max: 256 })
            .default(['127.0.0.1:9001'])
            .doc('Policy pods as host:port, or one dns:///name:port behind which they are found.'),
          deadline: s.duration({ min: 100, max: 300_000 }).default('10s').doc('Longest wait for a verdict; then 451.'),
          contentDeadline: s
            .duration({ min: 1_000, max: 3_600_000 })
            .default('10m')
            .doc(
              'Longest silence of policy about a large message: with more to take, or with its verdict once all was sent; then 451. The time a client takes to send it is bounded by deadlines.message.',
            ),
        })
        .doc('Where mail is judged.'),
      credentials: s
        .object({
          address: s.hostPort().default('127.0.0.1:9011').doc('Credential service of provisioning.'),
          deadline: s.duration({ min: 100, max: 60_000 }).default('5s').doc('Longest wait for it; then 454.'),
          keepLogins: s
            .duration({ max: 86_400_000 })
            .default('1h')
            .doc('How long a verified login goes on while provisioning is away; 0 = off.'),
        })
        .doc('Where logins are verified.'),
      gssapi: s
        .object({
          keytabFile: s
            .file()
            .doc('Keytab with the key of smtp/<name clients know this host by>. Read anew at every login.'),
          libraryFile: s
            .string({ minLength: 1, maxLength: 1_024 })
            .default('libgssapi_krb5.so.2')
            .doc('Name or path of the Kerberos library.'),
          replayCacheDirectory: s
            .file()
            .optional()
            .doc(
              'Folder the pod may write to, for the replay cache; with a read-only root a mounted one. Without it the library chooses: $KRB5RCACHEDIR, $TMPDIR, /var/tmp.',
            ),
          deadline: s.duration({ min: 100, max: 60_000 }).default('3s').doc('Longest wait for it; then 454.'),
        })
        .optional()
        .doc('Kerberos tickets (mechanism GSSAPI). Where keytab or library are missing the mechanism is not offered.'),
      memoryLimit: s
        .bytes({ max: 1_099_511_627_776 })
        .default('0')
        .doc(
          'Memory of the pod where its control group has no limit, for `overload.memory`; 0 = the memory of the machine. Workers share it: at least 128 MiB for each.',
        ),
      inlineLimit: s
        .bytes({ min: 1_024, max: 524_288 })
        .default('128KiB')
        .doc('Messages up to this size travel inside their SPOOL message.'),
      maxLineLength: s
        .bytes({ min: 998, max: 1_048_576 })
        .default('64KiB')
        .doc('Longest line of a message; 998 is the letter of RFC 5322, which much real mail breaks.'),
      spoolDeadline: s
        .duration({ min: 1_000, max: 300_000 })
        .default('60s')
        .doc('Longest time of the durable write, asking again included; then 451.'),
      maxHops: s
        .integer({ min: 10, max: 1_000 })
        .default(30)
        .doc('Most Received fields of a message: with one more it loops (554 5.4.6).'),
      maxAuthFailures: s.integer({ min: 1, max: 100 }).default(3).doc('Failed logins per session.'),
    })
    .restart()
    .doc('SMTP sessions.'),
};

type Edge = Infer<(typeof fields)['edge']>;

/** moreListeners on the ports they have on this pod; a port 0 is chosen by the system on each. */
export function moreListenersHere({ moreListeners, portOffset }: Pick<Edge, 'moreListeners' | 'portOffset'>) {
  return moreListeners.map(({ address: { host, port }, ...one }) => ({
    ...one,
    address: { host, port: port === 0 ? 0 : port + portOffset },
  }));
}

const highestPort = 65_535;

/** Names and addresses are given once; TLS from the first byte needs a certificate. */
function listenerFaults({ listeners, moreListeners, portOffset, tls, certificates }: Edge): Fault[] {
  const all = [
    ...listeners.map((one, index) => ({
      ...one,
      path: ['edge', 'listeners', index],
      written: formatHostPort(one.address),
    })),
    ...moreListenersHere({ moreListeners, portOffset }).map((one, index) => ({
      ...one,
      path: ['edge', 'moreListeners', index],
      written: formatHostPort(moreListeners[index]?.address ?? one.address),
    })),
  ];
  return all.flatMap(({ name, role, address, path, written }, index) => {
    const before = all.slice(0, index);
    const faults: Fault[] = [];
    if (before.some((other) => other.name === name))
      faults.push({ path: [...path, 'name'], message: `"${name}" is given twice; expected a name of its own` });
    const other = before.find((one) => overlap(one.address, address));
    if (other !== undefined) {
      const isSame = formatHostPort(other.address) === formatHostPort(address);
      const why = isSame
        ? `is given twice, to ${other.name} too`
        : `cannot be opened beside ${other.written} of ${other.name}`;
      faults.push({
        path: [...path, 'address'],
        message: `"${written}" ${why}; expected an address of its own`,
      });
    }
    if (address.port > highestPort) {
      const message = `"${written}" leaves no port for this process, which adds ${portOffset} (edge.portOffset); expected at most ${highestPort - portOffset}`;
      faults.push({ path: [...path, 'address'], message });
    }
    if (role === 'submissions' && tls === undefined && certificates.length === 0)
      faults.push({
        path: [...path, 'role'],
        message: '"submissions" needs a certificate; expected edge.tls with certFile and keyFile, or edge.certificates',
      });
    return faults;
  });
}

/** Fewer at the least than at the most; a number is left at a lower load than it is reached at; shared ports have numbers. */
function workerFaults({ workers, listeners, moreListeners }: Edge): Fault[] {
  const at = (field: string) => ['edge', 'workers', field];
  const { min, max, growAt, shrinkAt } = workers;
  const faults: Fault[] = [];
  if (min > max) faults.push({ path: at('min'), message: `${min} is more than workers.max (${max})` });
  if (shrinkAt >= growAt)
    faults.push({ path: at('shrinkAt'), message: `${shrinkAt} is not below workers.growAt (${growAt})` });
  if (max > 1 && [...listeners, ...moreListeners].some(({ address }) => address.port === 0))
    faults.push({
      path: at('max'),
      message: `${max} workers cannot share port 0 of a listener; expected port numbers`,
    });
  return faults;
}

/** What a process has in use before its first client, and room for some. */
const leastMemory = 128 * 1_048_576;

function memoryFaults({ memoryLimit, workers }: Edge): Fault[] {
  if (memoryLimit === 0 || memoryLimit >= leastMemory * workers.max) return [];
  const message = `${memoryLimit} bytes are too few for ${workers.max} processes (edge.workers.max): everybody would hear 421; expected 0, or at least 128MiB for each`;
  return [{ path: ['edge', 'memoryLimit'], message }];
}

export const edgeConfig = defineConfig('edge', fields, ({ edge }) => [
  ...memoryFaults(edge),
  ...listenerFaults(edge),
  ...tlsFaults(edge),
  ...workerFaults(edge),
]);

export type EdgeConfig = ConfigOf<typeof edgeConfig>;
