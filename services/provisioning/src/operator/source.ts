/**
 * The operator file as it is on disk, watched. A change that does not parse is refused here, the last good document stays. Whether a good
 * one can be applied is the projector's to say. Polls, since mounted files of Kubernetes change by a swapped link that events miss. A file that
 * is being written is waited for: an editor that empties it first must not take every setting away for a moment.
 */
import { stat } from 'node:fs/promises';
import type { Clock, Timer } from '@postern/clock';
import { ConfigError, type ConfigText } from '@postern/config';
import { parseOperatorDocument, readOperatorText } from './document.js';
import type { OperatorDocument } from './schema.js';

export interface OperatorSource {
  /** The newest document that parsed. */
  current(): OperatorDocument;
  /** Where it came from, for messages. */
  readonly name: string;
  watch(onChange: () => void, onRefused: (error: ConfigError) => void): void;
  close(): void;
}

const pollMs = 400;
/** A change is read when the files have been the same for so long; an emptied one is most likely half written. */
const settledMs = 150;
const settledEmptyMs = 1_000;
/** A file that never rests is read anyway. */
const mostWaits = 10;

/** Throws ConfigError when the first reading is wrong. */
export async function openOperatorSource(files: readonly string[], clock: Clock): Promise<OperatorSource> {
  let marks = await marksOf(files);
  let texts = await Promise.all(files.map(readOperatorText));
  let document = parseOperatorDocument(texts);
  let timer: Timer | undefined;
  let closed = false;
  const settled = async (): Promise<string> => {
    let before = await marksOf(files);
    for (let waits = 0; waits < mostWaits; waits++) {
      await clock.sleep(before.includes(emptyMark) ? settledEmptyMs : settledMs);
      const now = await marksOf(files);
      if (now === before) return now;
      before = now;
    }
    return before;
  };
  return {
    name: files.at(-1) ?? 'operator file',
    current: () => document,
    watch(onChange, onRefused) {
      const look = async (): Promise<void> => {
        if ((await marksOf(files)) === marks) return;
        const now = await settled();
        const fresh = await Promise.all(files.map(readOperatorText));
        marks = now;
        if (sameTexts(texts, fresh)) return;
        texts = fresh;
        document = parseOperatorDocument(fresh);
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
        (found) => `${found.ino}${found.size === 0 ? emptyMark : `:${found.size}:`}${found.mtimeMs}`,
        () => 'missing',
      ),
    ),
  );
  return marks.join('|');
}

const sameTexts = (a: readonly ConfigText[], b: readonly ConfigText[]): boolean =>
  a.every((entry, index) => entry.text === b[index]?.text);
