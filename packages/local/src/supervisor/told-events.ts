/**
 * What processes write into their logs and the person at the terminal has to know: a changed operator file that was refused, or holds in part only after a
 * new start, rules that cannot be used, settings of listeners that no port has. Each is told once, however many processes say it. Looks at what was appended, at most 1 MiB a look; of a log that grows faster the rest
 * of that look is passed over.
 */
import { open, stat } from 'node:fs/promises';

export interface FollowedLog {
  /** Process that writes it. */
  readonly instance: string;
  readonly file: string;
}

const mostBytes = 1_048_576;
const refused = 'provisioning.operator_file.refused';
const applied = 'provisioning.operator_file.applied';
const postponed = 'provisioning.operator_file.postponed';
const unmatched = 'edge.listener.unmatched';
const listenerRefused = 'edge.listener.refused';
const stale = ['edge.rules.stale', 'queue.rules.stale'];
const told = [refused, applied, postponed, unmatched, listenerRefused, ...stale];
/** So many different reasons are remembered. */
const mostReasons = 100;

interface LogLine {
  readonly event: string;
  readonly text: string;
}

function parsed(line: string): LogLine[] {
  if (!told.some((event) => line.includes(event))) return [];
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [];
  }
  if (typeof value !== 'object' || value === null || !('event' in value) || typeof value.event !== 'string') return [];
  const text = textOf(value);
  return [{ event: value.event, text: typeof text === 'string' ? text : '' }];
}

function textOf(value: object): unknown {
  if ('error' in value) return value.error;
  if ('reason' in value) return value.reason;
  if ('fields' in value) return value.fields;
  // Ports without settings of their own are as they are meant to be.
  return 'side' in value && 'listener' in value && value.side === 'settings' ? value.listener : '';
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

export class ToldEvents {
  readonly #logs: readonly FollowedLog[];
  readonly #say: (line: string) => void;
  /** Where the next look begins, by file: always the beginning of a line. */
  readonly #read = new Map<string, number>();
  readonly #reasons = new Set<string>();
  #fileIsRefused = false;
  /** Since the file was refused an edge said that it cannot carry out what a listener is to be. */
  #isCarriedOutInPart = false;

  constructor(logs: readonly FollowedLog[], say: (line: string) => void) {
    this.#logs = logs;
    this.#say = say;
  }

  /** Nothing that stands in the logs by now is told. */
  async skip(): Promise<void> {
    for (const { file } of this.#logs) this.#read.set(file, await sizeOf(file));
  }

  async look(): Promise<void> {
    for (const { instance, file } of this.#logs)
      for (const line of await this.#appended(file)) for (const entry of parsed(line)) this.#tell(instance, entry);
  }

  async #appended(file: string): Promise<string[]> {
    const size = await sizeOf(file);
    const known = this.#read.get(file) ?? 0;
    // A log that grew large was put aside.
    const from = size < known ? 0 : known;
    if (size === from) return [];
    const chunk = Buffer.alloc(Math.min(size - from, mostBytes));
    const handle = await open(file, 'r');
    let length: number;
    try {
      length = (await handle.read(chunk, 0, chunk.length, from)).bytesRead;
    } finally {
      await handle.close();
    }
    const whole = chunk.subarray(0, length).lastIndexOf(0x0a) + 1;
    this.#read.set(file, size - from > mostBytes ? size : from + whole);
    return chunk.subarray(0, whole).toString('utf8').split('\n');
  }

  #tell(instance: string, { event, text }: LogLine): void {
    if (event === refused) {
      this.#fileIsRefused = true;
      this.#isCarriedOutInPart = false;
      this.#say('the operator settings were refused; until they are corrected those before them stay in effect:');
      for (const line of text.split('\n')) this.#say(`  ${line}`);
    } else if (event === applied) {
      const but = this.#isCarriedOutInPart ? ', but for what an edge cannot carry out (above)' : '';
      if (this.#fileIsRefused) this.#say(`the operator settings are right again and in effect${but}`);
      this.#fileIsRefused = false;
    } else if (event === postponed) {
      this.#say(
        'changed in your file, and in effect after the next start only (stop, npm start again); the rest of it holds now:',
      );
      for (const line of text.split('\n')) this.#say(`  ${line}`);
    } else if (text !== '' && !this.#reasons.has(text) && this.#reasons.size < mostReasons) {
      this.#reasons.add(text);
      this.#tellReason(instance, event, text);
    }
  }

  #tellReason(instance: string, event: string, text: string): void {
    if (event === unmatched) {
      this.#say(`no port belongs to the settings of listener ${text}: it needs edge.moreListeners and a new start`);
    } else if (event === listenerRefused) {
      this.#isCarriedOutInPart = true;
      this.#say(`${instance} cannot carry out settings of a listener as they are: ${text}`);
    } else {
      this.#say(`${instance} cannot use the operator's newest rules and judges by those before them:`);
      for (const line of text.split('\n')) this.#say(`  ${line}`);
    }
  }
}
