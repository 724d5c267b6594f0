/**
 * An open-loop crowd: opens connections at a given rate whatever the answers are, over several edges and from several addresses of 127.0.0.0/8; holds what
 * is admitted for a while, then leaves. Keeps the times of all that happened, so that limits can be judged afterwards.
 */
import { connect } from 'node:net';

export interface CrowdOptions {
  readonly ports: () => readonly number[];
  readonly addresses: readonly string[];
  /** New connections a second over all. */
  readonly rate: number;
  /** Milliseconds an admitted connection stays, drawn evenly between the two; 0 = it leaves at once. */
  readonly hold: readonly [number, number];
}

export interface Visit {
  readonly address: string;
  readonly port: number;
  /** Milliseconds since the start of the crowd, as those below. */
  readonly openedAt: number;
  readonly admittedAt: number;
  leftAt: number;
}

export interface Crowd {
  /** All admitted so far. */
  readonly visits: readonly Visit[];
  readonly refused: ReadonlyMap<string, number>;
  /** Here now. */
  present(address?: string): number;
  now(): number;
  /** No new connections; closes all that are open. */
  stop(): Promise<void>;
}

const tickMs = 10;
const answerMs = 10_000;

export function startCrowd(options: CrowdOptions): Crowd {
  const startedAt = performance.now();
  const now = (): number => performance.now() - startedAt;
  const visits: Visit[] = [];
  const refused = new Map<string, number>();
  const here = new Map<string, number>();
  const open = new Set<() => void>();
  let opened = 0;
  let stopping = false;

  const count = (address: string, by: number): void => {
    here.set(address, (here.get(address) ?? 0) + by);
    here.set('', (here.get('') ?? 0) + by);
  };
  const refuse = (reason: string): void => void refused.set(reason, (refused.get(reason) ?? 0) + 1);

  const visit = (port: number, address: string): void => {
    const openedAt = now();
    const socket = connect({ host: '127.0.0.1', port, localAddress: address, noDelay: true });
    let admitted: Visit | undefined;
    let answered = false;
    let leave: NodeJS.Timeout | undefined;
    const close = (): void => void socket.destroy();
    open.add(close);
    const patience = setTimeout(close, answerMs);
    socket.once('data', (chunk: Buffer) => {
      answered = true;
      clearTimeout(patience);
      if (chunk.toString('latin1', 0, 3) !== '220') {
        refuse(chunk.toString('latin1').replace(/ \([0-9A-Z]{26}\)\r\n$/, ''));
        close();
        return;
      }
      admitted = { address, port, openedAt, admittedAt: now(), leftAt: Number.POSITIVE_INFINITY };
      visits.push(admitted);
      count(address, 1);
      const [least, most] = options.hold;
      leave = setTimeout(close, least + Math.random() * (most - least));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      open.delete(close);
      clearTimeout(patience);
      clearTimeout(leave);
      if (admitted !== undefined) {
        admitted.leftAt = now();
        count(address, -1);
      } else if (!answered && !stopping) refuse('no answer');
    });
  };
  const timer = setInterval(() => {
    const due = Math.floor((now() / 1_000) * options.rate);
    const ports = options.ports();
    for (; opened < due; opened++) {
      // Every address meets every edge, whatever their numbers have in common.
      const port = ports[opened % ports.length];
      const address = options.addresses[Math.floor(opened / ports.length) % options.addresses.length];
      if (port !== undefined && address !== undefined) visit(port, address);
    }
  }, tickMs);
  return {
    visits,
    refused,
    present: (address = '') => here.get(address) ?? 0,
    now,
    async stop() {
      stopping = true;
      clearInterval(timer);
      for (const close of [...open]) close();
      while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}

/** Greatest and average number present between two times, of the visits given. */
export function presence(visits: readonly Visit[], from: number, to: number): { most: number; average: number } {
  const changes = visits
    .flatMap(({ admittedAt, leftAt }) => [
      { at: Math.max(from, admittedAt), by: 1 },
      { at: leftAt, by: -1 },
    ])
    .filter(({ at }) => at < to)
    // A place that is left at the very time another is taken was free.
    .sort((one, other) => one.at - other.at || one.by - other.by);
  let present = 0;
  let most = 0;
  let area = 0;
  let last = from;
  for (const { at, by } of changes) {
    if (at > from) area += present * (Math.min(at, to) - last);
    last = Math.max(from, at);
    present += by;
    if (at >= from) most = Math.max(most, present);
  }
  area += present * (to - last);
  return { most, average: area / (to - from) };
}

/** The most that were admitted in any window of that length. */
export function busiestWindow(visits: readonly Visit[], windowMs: number): number {
  const times = visits.map(({ admittedAt }) => admittedAt).sort((one, other) => one - other);
  let most = 0;
  let first = 0;
  for (const [index, at] of times.entries()) {
    while (at - (times[first] ?? 0) >= windowMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
