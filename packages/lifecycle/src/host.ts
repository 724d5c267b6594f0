/**
 * What lifecycle needs of the process, as an interface: tests send signals and read exit codes without a process.
 */
import { writeSync } from 'node:fs';

export type StopSignal = 'SIGTERM' | 'SIGINT';

export interface Host {
  /** Of the Node it runs on, such as `24.21.0`. */
  readonly nodeVersion: string;
  onSignal(handle: (signal: StopSignal) => void): void;
  onFault(handle: (kind: 'exception' | 'rejection', error: unknown) => void): void;
  /** One line to standard error, written before it returns. */
  complain(line: string): void;
  exit(code: number): void;
}

export const processHost: Host = {
  nodeVersion: process.versions.node,
  onSignal(handle) {
    process.on('SIGTERM', () => handle('SIGTERM'));
    process.on('SIGINT', () => handle('SIGINT'));
  },
  onFault(handle) {
    process.on('uncaughtException', (error) => handle('exception', error));
    process.on('unhandledRejection', (error) => handle('rejection', error));
  },
  complain(line) {
    try {
      writeSync(2, `${line}\n`);
    } catch {
      // Standard error cannot be written (disk full): the line is in the log as well, and nothing is left to tell it to.
    }
  },
  exit(code) {
    process.exit(code);
  },
};
