/**
 * `--detach`: the supervisor runs on as a process of its own, with its lines in DATA/logs/supervisor.log; this one shows the
 * lines until the cluster serves or has failed, and ends.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { DataFolder } from './data-folder.js';

export type DetachMessage =
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'serving'; readonly text: string }
  | { readonly kind: 'failed'; readonly line: string };

/** Marks the process that is to be the supervisor in the background. */
export const backgroundFlag = 'POSTERN_BACKGROUND';

/** The uppermost folder that was made for this start, for the one in the background. */
export const newFolderName = 'POSTERN_NEW_FOLDER';

export interface BackgroundStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: DataFolder;
  readonly standing: string;
  readonly made: string | undefined;
}

/** Tell the process in the foreground, if there is one still listening. */
export function tellForeground(message: DetachMessage): void {
  if (process.connected) process.send?.(message, () => {});
}

const isMessage = (value: unknown): value is DetachMessage =>
  typeof value === 'object' && value !== null && 'kind' in value;

/** Start the background supervisor with the same arguments; resolves with the exit code of this process. */
export function startInBackground({ program, args, folder, standing, made }: BackgroundStart): Promise<number> {
  const log = openSync(join(folder.logs, 'supervisor.log'), 'a', 0o600);
  const child = spawn(process.execPath, [program, ...args.filter((arg) => arg !== '--detach')], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [backgroundFlag]: '1', [newFolderName]: made ?? '', POSTERN_INVOKED_FROM: standing },
  });
  closeSync(log);
  return new Promise((resolve) => {
    const finish = (code: number, text: string) => {
      process.stdout.write(text);
      if (child.connected) child.disconnect();
      child.unref();
      resolve(code);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
    child.once('error', (error) => finish(1, `postern: cannot start in the background: ${error.message}\n`));
    child.once('exit', (code) => finish(code ?? 1, ''));
    child.on('message', (message) => {
      if (!isMessage(message)) return;
      if (message.kind === 'line') process.stdout.write(`${message.line}\n`);
      else if (message.kind === 'serving') finish(0, message.text);
      else finish(1, `${message.line}\n`);
    });
  });
}
