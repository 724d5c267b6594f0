/**
 * The operator file as it is on disk, watched, with the files it names (passwords, keys, certificates). A change that does not parse is refused
 * here, the last good document stays; when the first reading is refused, the one kept from before takes its place. Whether a good one can be applied is the projector's to say. Polls, since mounted files of Kubernetes change
 * by a swapped link that events miss. A file that is being written is waited for: an editor that empties it first must not take every setting away
 * for a moment.
 */
import { stat } from 'node:fs/promises';
import type { Clock, Timer } from '@postern/clock';
import { ConfigError, type ConfigText } from '@postern/config';
import { examineOperatorDocument, readOperatorText } from './document.js';
import type { KeptReading, OperatorReading } from './kept-document.js';
import { filesNamedBy } from './named-files.js';
import { postponedFields } from './postponed.js';
import type { OperatorDocument } from './schema.js';

export interface OperatorSource {
  /** The newest document that parsed and, as far as this pod knows, can be applied. */
  current(): OperatorDocument;
  /** The same with its texts. */
  reading(): OperatorReading;
  /** Set while the files are as they were when their first reading was refused: what is used instead. */
  readonly fallback: KeptReading | undefined;
  /** What the newest says of services and is in effect after their next start only; a line each, with its place. */
  postponed(): readonly string[];
  /** This is in effect, also where a newer one could not be applied. */
  use(reading: OperatorReading): void;
  /** Where it came from, for messages. */
  readonly name: string;
  /** `onChange`: another document, or a file it names holds something else. `onRefused`: once for each state of the files. */
  watch(onChange: () => void, onRefused: (error: ConfigError) => void): void;
  close(): void;
}

const pollMs = 400;
/** Named files are many and seldom change: they are looked at every so many polls. */
const namedEvery = 5;
/** More of them are read with the next change of the operator file. */
const mostNamed = 10_000;
/** A change is read when the files have been the same for so long; an emptied one is most likely half written. */
const settledMs = 150;
const settledEmptyMs = 1_000;
/** A file that never rests is read anyway. */
const mostWaits = 10;

export interface OperatorFiles {
  readonly files: readonly string[];
  /** A copy of the last file as it was when the services were started; without it what is read first stands for that. */
  readonly takenFile?: string | undefined;
  /** Those there are; undefined = the names of pools are not judged. */
  readonly egressPools?: readonly string[] | undefined;
}

/** `fallBack`: asked when the first reading is wrong; throws when there is nothing to fall back on. */
export async function openOperatorSource(
  { files, takenFile, egressPools }: OperatorFiles,
  clock: Clock,
  fallBack: (error: ConfigError) => Promise<KeptReading>,
): Promise<OperatorSource> {
  let marks = await marksOf(files);
  let texts: readonly ConfigText[] | undefined;
  let named: readonly string[] = [];
  let fallback: KeptReading | undefined;
  const parse = (fresh: readonly ConfigText[]): OperatorReading => {
    const { document: found, problems } = examineOperatorDocument(fresh, { egressPools });
    // Also those of a document that is refused because of one of them.
    if (found !== undefined) named = filesNamedBy(found).slice(0, mostNamed);
    if (found === undefined || problems.length > 0) throw new ConfigError(problems);
    return { document: found, texts: fresh };
  };
  let reading: OperatorReading;
  try {
    texts = await Promise.all(files.map(readOperatorText));
    reading = parse(texts);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fallback = await fallBack(error);
    reading = fallback;
  }
  const taken = takenFile === undefined ? texts?.at(1) : await readOperatorText(takenFile).catch(() => undefined);
  let namedMarks = await marksOf(named);
  let timer: Timer | undefined;
  let closed = false;
  let polls = 0;
  const settled = async (watched: readonly string[]): Promise<void> => {
    let before = await marksOf(watched);
    for (let waits = 0; waits < mostWaits; waits++) {
      await clock.sleep(before.includes(emptyMark) ? settledEmptyMs : settledMs);
      const now = await marksOf(watched);
      if (now === before) return;
      before = now;
    }
  };
  const namedChanged = async (): Promise<boolean> => polls % namedEvery === 0 && (await marksOf(named)) !== namedMarks;
  return {
    name: files.at(-1) ?? 'operator file',
    current: () => reading.document,
    reading: () => reading,
    get fallback() {
      return fallback;
    },
    postponed() {
      const now = texts?.at(1);
      return taken === undefined || now === undefined ? [] : postponedFields(taken, now);
    },
    use: (other) => {
      reading = other;
    },
    watch(onChange, onRefused) {
      const look = async (): Promise<void> => {
        polls++;
        const namedDiffer = await namedChanged();
        if (!namedDiffer && (await marksOf(files)) === marks) return;
        await settled([...files, ...(namedDiffer ? named : [])]);
        // Before they are read: what changes meanwhile is another change.
        marks = await marksOf(files);
        const before = texts;
        texts = undefined;
        const fresh = await Promise.all(files.map(readOperatorText));
        texts = fresh;
        if (!namedDiffer && sameTexts(before, fresh)) return;
        try {
          reading = parse(fresh);
          fallback = undefined;
        } finally {
          namedMarks = await marksOf(named);
        }
        onChange();
      };
      const poll = (): void => {
        look()
          .catch((error: unknown) => {
            if (error instanceof ConfigError) onRefused(error);
          })
          .finally(() => {
            if (!closed && files.length > 0) timer = clock.setTimer(pollMs, poll, { unref: true });
          });
      };
      poll();
    },
    close: () => {
      closed = true;
      timer?.cancel();
    },
  };
}

const emptyMark = ':empty:';

async function marksOf(files: readonly string[]): Promise<string> {
  const marks = await Promise.all(
    files.map((file) =>
      stat(file).then(
        (found) => `${found.ino}${found.size === 0 ? emptyMark : `:${found.size}:`}${found.mtimeMs}:${found.ctimeMs}`,
        () => 'missing',
      ),
    ),
  );
  return marks.join('|');
}

const sameTexts = (a: readonly ConfigText[] | undefined, b: readonly ConfigText[]): boolean =>
  a?.every((entry, index) => entry.text === b[index]?.text) === true;
