/**
 * Failpoints: named places between two durable steps where a test may kill the process (docs/architecture/durability.md). Armed only by the file
 * that the environment variable POSTERN_FAILPOINT_FILE names, read once at start: `name:n` dies at the n-th pass (default the first) and removes the
 * file, so that the process that takes its place lives. Unarmed it is one comparison. SIGKILL: no handler runs, as in a power cut.
 */
import { readFileSync, unlinkSync } from 'node:fs';

interface Armed {
  readonly file: string;
  readonly name: string;
  passesLeft: number;
}

function readArmed(file: string | undefined): Armed | undefined {
  if (file === undefined || file === '') return undefined;
  try {
    const [name = '', count = '1'] = readFileSync(file, 'utf8').trim().split(':');
    return name === '' ? undefined : { file, name, passesLeft: Number(count) };
  } catch {
    return undefined;
  }
}

const armed = readArmed(process.env.POSTERN_FAILPOINT_FILE);

export function failpoint(name: string): void {
  if (armed === undefined || name !== armed.name) return;
  armed.passesLeft--;
  if (armed.passesLeft > 0) return;
  unlinkSync(armed.file);
  process.kill(process.pid, 'SIGKILL');
}
