/**
 * A mail world whose processes are killed at failpoints, one after the other, and the messages of SPOOL that they then have in work: published as an edge does,
 * since which mails share one is chance otherwise.
 */
import { rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { Disposition, Envelope } from '@postern/proto/mail/v1/envelope';
import { createPublisher, type ServiceUser, type StreamConnection, spoolMessage, spoolSubject } from '@postern/stream';
import { afterAll, expect, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { type ClosedStream, closeStream } from '../cluster/stream-room.js';
import { asService, logOf } from '../fuzz/cluster-files.js';
import { withMailWorld } from '../integration/mail-world.js';

const patience = { timeout: 90_000, interval: 100 };

const newId = createUlidSource(systemClock, systemRandom);

/** Several recipients have renderings of their own: an item each, and the body in BODIES. */
export function envelopeOf(text: string, ...recipients: readonly string[]): Envelope {
  return Envelope.fromPartial({
    queueId: newId(),
    acceptedAtMs: systemClock.now(),
    reversePath: 'bob@acme.test',
    forwardPaths: recipients.map((address, rendering) => ({
      address,
      tenant: 'acme',
      rendering,
      disposition: Disposition.DELIVER,
    })),
    renderings: recipients.map(() => ({})),
    size: 30,
    submittingTenant: 'acme',
    body: { place: { $case: 'inline', value: Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`) } },
  });
}

export interface ArmedWorld {
  /** The next process of the service dies at that pass. Resolves when it is armed; what it returns, when it was hit and another is in its place. */
  arm(failpoint: string, passes?: number): Promise<() => Promise<void>>;
  restart(service: string): Promise<void>;
  killNats(): Promise<void>;
  /** One message of SPOOL. */
  spool(...mails: readonly [Envelope, ...Envelope[]]): Promise<void>;
  close(stream: string): Promise<ClosedStream>;
  /** Again and again, while NATS comes back. */
  open(closed: ClosedStream): Promise<void>;
  /** How often a mail, or the mails of a message, began to wait for a stream. */
  stalls(): Promise<number>;
  stalled(times: number): Promise<void>;
  empty(...streams: readonly string[]): Promise<void>;
  /** Messages that WORK has had. */
  workHad(): Promise<number>;
  arrivals(text: string): number;
  arrived(...texts: readonly string[]): Promise<void>;
  /** Nothing is in a stream, and the ledger says so. */
  atRest(): Promise<void>;
}

export function withArmedWorld(): ArmedWorld {
  const armFile = join(tmpdir(), `postern-armed-${process.pid}`);
  const world = withMailWorld({ environment: { POSTERN_FAILPOINT_FILE: armFile } });
  afterAll(() => rm(armFile, { force: true }));

  async function as<T>(user: ServiceUser, work: (connection: StreamConnection) => Promise<T>): Promise<T> {
    const connection = await asService(world.cluster, user);
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }
  async function replaced(process: string, signal: NodeJS.Signals): Promise<void> {
    await world.cluster.waitReplaced(process, await world.cluster.signal(process, signal));
  }
  async function messagesIn(...streams: readonly string[]): Promise<unknown[]> {
    const status = await world.cluster.ctlJson('status');
    const found: unknown = typeof status === 'object' && status !== null ? Reflect.get(status, 'streams') : undefined;
    if (!Array.isArray(found)) throw new Error(JSON.stringify(status));
    return found.filter(({ name }) => streams.includes(name)).map(({ messages }) => messages);
  }
  const stalls = async (): Promise<number> =>
    (await logOf(world.cluster, 'queue-0')).split('"queue.intake.stalled"').length - 1;
  const arrivals = (text: string): number => world.nextHop.having(text).length;
  const empty = (...streams: readonly string[]): Promise<void> =>
    vi.waitFor(async () => expect(await messagesIn(...streams)).toEqual(streams.map(() => 0)), patience);

  return {
    async arm(failpoint, passes = 1) {
      const [service = ''] = failpoint.split('.');
      await writeFile(armFile, `${failpoint}:${passes}`);
      await replaced(service, 'SIGTERM');
      return async () => {
        await vi.waitFor(async () => expect(await stat(armFile).catch(() => 'hit')).toBe('hit'), patience);
        await world.cluster.waitReady(service);
      };
    },
    restart: (service) => replaced(service, 'SIGTERM'),
    killNats: () => replaced('nats', 'SIGKILL'),
    spool: (...[first, ...others]) =>
      as('edge', async (connection) => {
        const encoded = others.map((mail) => Envelope.encode(mail).finish());
        const { data, headers } = spoolMessage([Envelope.encode(first).finish(), ...encoded]);
        const options = { msgId: first.queueId, headers };
        const publisher = createPublisher(connection, systemClock);
        expect(await publisher.publish(spoolSubject(first.queueId), data, options)).toMatchObject({ kind: 'stored' });
      }),
    close: (stream) => as('provisioning', (connection) => closeStream(connection, stream)),
    open: (closed) => vi.waitFor(() => as('provisioning', (connection) => closed.open(connection)), patience),
    stalls,
    stalled: (times) => vi.waitFor(async () => expect(await stalls()).toBe(times), patience),
    empty,
    workHad: () =>
      as('queue', async ({ nats }) => {
        const info: { readonly state?: { readonly last_seq: number } } = (
          await nats.request('$JS.API.STREAM.INFO.WORK')
        ).json();
        return info.state?.last_seq ?? Number.NaN;
      }),
    arrivals,
    arrived: (...texts) => vi.waitFor(() => expect(texts.map(arrivals)).toEqual(texts.map(() => 1)), patience),
    async atRest() {
      await empty('SPOOL', 'WORK', 'OUTCOMES');
      await waitAtRest(world.cluster, 60_000);
    },
  };
}
