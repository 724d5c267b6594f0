/** What a command works with; made once per run from the options that precede it. */

import { parseDuration } from '@postern/config';
import type { Command } from 'commander';
import { type Api, openApi } from './api.js';
import { createOutput, type Output } from './output.js';
import type { Terminal } from './password.js';
import { findRunFile, type GlobalOptions, type RunFile, type Surroundings, serverSettings } from './settings.js';
import { UsageError } from './usage-error.js';

/** The process as the program sees it; tests give their own. */
export interface Host extends Surroundings {
  readonly terminal: Terminal;
  readonly write: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface CommandContext {
  readonly api: Api;
  readonly output: Output;
  readonly terminal: Terminal;
  readonly now: () => number;
  run(): RunFile | undefined;
}

const usualTimeout = '20s';

/** Runs the work of one command and closes the connection after it, whatever happens. */
export type Run = (command: Command, work: (context: CommandContext) => Promise<void>) => Promise<void>;

export function createRun(host: Host): Run {
  return async (command, work) => {
    const options = command.optsWithGlobals<GlobalOptions>();
    const timeoutMs = parseDuration(options.timeout ?? usualTimeout);
    if (timeoutMs === undefined || timeoutMs === 0) {
      throw new UsageError(
        `--timeout: ${JSON.stringify(options.timeout)} is not allowed; expected a duration such as 20s`,
      );
    }
    let api: Api | undefined;
    const context: CommandContext = {
      get api() {
        api ??= openApi(serverSettings(options, host), timeoutMs);
        return api;
      },
      output: createOutput(options.json === true, host.write),
      terminal: host.terminal,
      now: host.now,
      run: () => findRunFile(options, host),
    };
    try {
      await work(context);
    } finally {
      api?.close();
    }
  };
}
