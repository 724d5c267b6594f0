/**
 * Sessions that are opened and left alone while everything else goes on: each must be ended by the server when its deadline has passed
 * (RFC 5321 §4.5.3.2; services/edge deadlines), and not long before.
 */
import { connect, type Socket } from 'node:net';

interface ParkedKind {
  readonly name: string;
  readonly listener: 'mx' | 'submissions';
  readonly lines: readonly string[];
  /** Octets repeated every second. */
  readonly drip?: string;
  readonly deadlineMs: number;
}

const transaction = [
  'EHLO parked.test\r\n',
  'MAIL FROM:<parked@sender.test>\r\n',
  'RCPT TO:<parked@fuzz.test>\r\n',
  'DATA\r\n',
];
const kinds: readonly ParkedKind[] = [
  { name: 'no handshake on the TLS port', listener: 'submissions', lines: [], deadlineMs: 30_000 },
  { name: 'a slow drip of DATA', listener: 'mx', lines: transaction, drip: 'x', deadlineMs: 61_000 },
  { name: 'a slow drip of lines of DATA', listener: 'mx', lines: transaction, drip: 'a\r\n', deadlineMs: 61_000 },
  { name: 'silence in DATA', listener: 'mx', lines: transaction, deadlineMs: 61_000 },
  { name: 'silence after the banner', listener: 'mx', lines: [], deadlineMs: 300_000 },
  { name: 'a slow drip of a command', listener: 'mx', lines: ['EHLO parked.test\r\n'], drip: 'x', deadlineMs: 300_000 },
];
/** The sweep, a busy machine. */
const toleranceMs = 20_000;

export interface ParkedSessions {
  /** Waits for those whose deadline is at most `untilMs` after the start; what is wrong with them, and how many were judged. */
  judge(untilMs: number): Promise<{ readonly problems: string[]; readonly judged: number }>;
  close(): void;
}

export function parkSessions(ports: Readonly<Record<'mx' | 'submissions', number>>): ParkedSessions {
  const startedAt = Date.now();
  const parked = kinds.map((kind) => {
    const socket: Socket = connect({ host: '127.0.0.1', port: ports[kind.listener], noDelay: true });
    const lines = [...kind.lines];
    let timer: NodeJS.Timeout | undefined;
    socket.on('data', () => {
      const line = lines.shift();
      if (line !== undefined) socket.write(line);
      else if (kind.drip !== undefined)
        timer ??= setInterval(() => socket.writable && socket.write(kind.drip ?? ''), 1_000);
    });
    socket.on('error', () => undefined);
    const closed = new Promise<number>((resolve) => {
      socket.on('close', () => {
        clearInterval(timer);
        resolve(Date.now() - startedAt);
      });
    });
    return { kind, socket, closed };
  });
  return {
    async judge(untilMs) {
      const problems: string[] = [];
      const due = parked.filter(({ kind }) => kind.deadlineMs <= untilMs);
      for (const { kind, closed } of due) {
        const left = kind.deadlineMs + toleranceMs - (Date.now() - startedAt);
        const after = await Promise.race([closed, wait(Math.max(0, left))]);
        if (after === undefined) problems.push(`${kind.name}: still open after ${kind.deadlineMs + toleranceMs} ms`);
        else if (after < kind.deadlineMs - 5_000)
          problems.push(`${kind.name}: ended after ${after} ms, deadline ${kind.deadlineMs} ms`);
      }
      return { problems, judged: due.length };
    },
    close: () => {
      for (const { socket } of parked) socket.destroy();
    },
  };
}

const wait = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
