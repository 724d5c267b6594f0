/** Runs numbered sessions against the edge, several at a time, and gathers what was wrong. Session n of a seed is always the same. */
import { FuzzClient, type FuzzTarget } from './fuzz-client.js';
import { Chance, seedOf } from './random.js';
import type { SentBook } from './sent-book.js';
import { chooseKind, type ListenerName, type SessionKind } from './sessions.js';

export interface EdgeSessionsOptions {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  readonly atOnce: number;
  readonly ports: Readonly<Record<ListenerName, number>>;
  readonly book: SentBook;
  readonly login: { readonly user: string; readonly password: string };
  readonly onProgress: (done: number) => void;
  /** Asked between sessions; true = no more. */
  readonly stopped: () => boolean;
}

export interface EdgeSessionsResult {
  readonly problems: string[];
  readonly byKind: ReadonlyMap<string, number>;
  /** Connections that were not even opened. */
  readonly unopened: number;
  readonly done: number;
}

const longestSessionMs = 120_000;

/** A session that neither ends nor fails is a defect of the server or of the fuzzer: both must be seen. */
async function inTime(kind: SessionKind, work: Promise<void>, client: FuzzClient): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      client.problem(`${kind.name} took longer than ${longestSessionMs} ms`);
      resolve();
    }, longestSessionMs);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

export async function runEdgeSessions(options: EdgeSessionsOptions): Promise<EdgeSessionsResult> {
  const { seed, book, ports } = options;
  const problems: string[] = [];
  const byKind = new Map<string, number>();
  let next = options.first;
  let done = 0;
  let unopened = 0;

  const one = async (number: number): Promise<void> => {
    const chance = new Chance(seedOf(seed, number));
    const kind = chooseKind(chance);
    const listener = chance.pick(kind.listeners);
    const target: FuzzTarget = {
      port: ports[listener],
      implicitTls: listener === 'submissions' && kind.withoutTls !== true,
    };
    const client = await FuzzClient.open(target, chance);
    if (client === undefined) {
      unopened++;
      return;
    }
    const token = `${seed.toString(36)}-${number.toString(36)}`;
    await inTime(kind, kind.run({ client, book, token, login: options.login }), client);
    const wrong = client.finish();
    byKind.set(kind.name, (byKind.get(kind.name) ?? 0) + 1);
    if (wrong.length === 0) return;
    problems.push(
      `session ${number} (${kind.name}, ${listener}): ${wrong.join('; ')}\n            ${client.log.slice(-8).join('\n            ')}`,
    );
  };
  const worker = async (): Promise<void> => {
    while (next < options.first + options.count && !options.stopped()) {
      await one(next++);
      options.onProgress(++done);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  return { problems, byKind, unopened, done };
}
