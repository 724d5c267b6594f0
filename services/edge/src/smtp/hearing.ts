/**
 * What a client says, on its way from the parser to the dialogue: nothing is heard before the banner, one command at a time, and no more while the client does not
 * read what it is told. The parser calls; this decides nothing else.
 */
import type { Socket } from 'node:net';
import { type Abort, aborts } from './abort.js';
import type { CommandHandlers } from './command-stream.js';
import { type Dialogue, isHttpRequest } from './dialogue.js';
import type { EarlyTalk } from './early-talk.js';
import type { Patience } from './patience.js';

/** The connection, as far as hearing goes. */
export interface Heard {
  readonly dialogue: Dialogue;
  readonly patience: Patience;
  readonly early: EarlyTalk;
  readonly _socket: Socket;
  /** The banner is out. */
  readonly _ready: boolean;
  readonly isClosed: boolean;
  flush(): void;
  abort(abort: Abort): void;
}

/** A client that sends and does not read must not fill our memory with replies. */
function whenDrained(socket: Socket): Promise<void> | undefined {
  if (!socket.writableNeedDrain || socket.destroyed) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

/** The banner waits for silence, and the client spoke. */
export function tooSoon(connection: Heard, line: string): void {
  if (connection.isClosed) return;
  const { services, session } = connection.dialogue;
  services.abuse.failed(session, 'bad_command');
  connection.abort(isHttpRequest(line) ? aborts.noise('httpRequest') : aborts.earlyTalker);
}

function hear(connection: Heard, line: string): Promise<void> | undefined {
  const { dialogue, patience } = connection;
  // Before the verb runs: DATA and AUTH say themselves when they wait for the client.
  patience.works();
  const work = dialogue.onLine(line);
  if (work !== undefined)
    return work.then(() => {
      patience.waits();
      return whenDrained(connection._socket);
    });
  patience.waits();
  return whenDrained(connection._socket);
}

async function afterBanner(connection: Heard, answer: () => Promise<void> | undefined, line?: string): Promise<void> {
  await connection.early.hold(line);
  if (!connection.isClosed) await answer();
}

/** `connection` may still be under construction: it is asked when something is said. */
export const hearing = (connection: Heard, onUnexpectedProxy: () => void): CommandHandlers => ({
  onLine: (line) =>
    connection._ready ? hear(connection, line) : afterBanner(connection, () => hear(connection, line), line),
  onBadLine: (problem) => {
    const answer = (): Promise<void> | undefined => connection.dialogue.onBadLine(problem);
    return connection._ready ? answer() : afterBanner(connection, answer);
  },
  onPartialLine: () => {
    if (!connection._ready) connection.early.spoke();
  },
  onNoise: (kind) => {
    if (kind === 'proxyHeader') onUnexpectedProxy();
    connection.abort(aborts.noise(kind));
  },
  onIdle: () => connection.flush(),
});
