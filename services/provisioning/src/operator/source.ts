/**
 * The operator file as it is on disk, watched. A change that does not parse is refused here, the last good document stays. Whether a good
 * one can be applied is the projector's to say. Polls, since mounted files of Kubernetes change by a swapped link that events miss.
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

/** Throws ConfigError when the first reading is wrong. */
export async function openOperatorSource(files: readonly string[], clock: Clock): Promise<OperatorSource> {
  let marks = await marksOf(files);
  let texts = await Promise.all(files.map(readOperatorText));
  let document = parseOperatorDocument(texts);
  let timer: Timer | undefined;
  let closed = false;
  return {
    name: files.at(-1) ?? 'operator file',
    current: () => document,
    watch(onChange, onRefused) {
      const look = async (): Promise<void> => {
        const now = await marksOf(files);
        if (now === marks) return;
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

async function marksOf(files: readonly string[]): Promise<string> {
  const marks = await Promise.all(
    files.map((file) =>
      stat(file).then(
        (found) => `${found.ino}:${found.size}:${found.mtimeMs}`,
        () => 'missing',
      ),
    ),
  );
  return marks.join('|');
}

const sameTexts = (a: readonly ConfigText[], b: readonly ConfigText[]): boolean =>
  a.every((entry, index) => entry.text === b[index]?.text);
