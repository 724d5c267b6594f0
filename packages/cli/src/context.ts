/** What a command works with; made once per run from the options that precede it. */

import { parseDuration } from '@postern/config';
import type { Command } from 'commander';
import { type Api, openApi } from './api.js';
import { helpHint } from './command-line.js';
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
  /** Where the person stands. */
  readonly folder: string;
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
      const given = JSON.stringify(options.timeout);
      throw new UsageError(`--timeout: ${given} is not allowed; expected a duration such as 20s; ${helpHint(command)}`);
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
      folder: host.folder,
      // A server that was named is not the local cluster, unless its folder was named too.
      run: () => {
        const named = options.server ?? host.env.POSTERN_SERVER;
        return named !== undefined && options.data === undefined ? undefined : findRunFile(options, host);
      },
    };
    try {
      await work(context);
    } catch (error) {
      throw error instanceof UsageError ? new UsageError(`${error.message}; ${helpHint(command)}`) : error;
    } finally {
      api?.close();
    }
  };
}
