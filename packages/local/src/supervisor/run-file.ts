/**
 * run.json: where a running cluster answers and which processes it is made of, for people, `posternctl`, tests and
 * scripts. Written whole at the start and at every restart. Its shape is a contract: fields are added, never changed. A process that ended
 * stays listed, with its last pid, until the one in its place is there.
 */
import { writeFileAtomic } from './atomic-file.js';

export type RunState = 'running' | 'starting' | 'down';

export interface RunProcess {
  readonly pid: number;
  /** Tells it from a later process with its pid; absent where the system has no /proc. */
  readonly identity: string | undefined;
  /** `down`: it ended and is started again after a pause; the pid is the one it had. */
  readonly state: RunState;
}

export interface RunService extends RunProcess {
  /** Service; several processes of one service share it. */
  readonly name: string;
  /** This process: `edge-0`. Of an edge with several workers it is their supervisor; they come and go, and /workers lists them. */
  readonly instance: string;
  /** Base of /metrics, /healthz and /readyz. */
  readonly metrics: string;
}

export interface RunInfrastructure extends RunProcess {
  readonly name: string;
  readonly address: string;
  /** HTTP side, where it has one: the NATS monitor, the mailbox's message list. */
  readonly http?: string;
}

export interface RunFile {
  /** Keeps the processes: without it none that ends is started again. */
  readonly supervisor: Omit<RunProcess, 'state'>;
  readonly listeners: {
    readonly mx: readonly string[];
    readonly submission: readonly string[];
    readonly submissions: readonly string[];
    /** Those of edge.moreListeners by name; all lists have one address per edge. */
    readonly [name: string]: readonly string[];
  };
  readonly services: readonly RunService[];
  readonly infrastructure: readonly RunInfrastructure[];
  readonly provisioning: { readonly address: string; readonly keyFile: string };
  /** File of the authority that signed the listeners' certificate. */
  readonly ca: string;
  /** `--config` of this start; absent = none. */
  readonly configFile?: string;
  /** `--config` of the start before, which this one was not given. */
  readonly configFileBefore?: string;
  readonly demo: { readonly domain: string; readonly user: string; readonly passwordFile: string };
}

/** Writes one after another, always the newest content; a burst of changes is one write. */
export class RunFileWriter {
  readonly #path: string;
  readonly #content: () => RunFile;
  #wanted = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, content: () => RunFile) {
    this.#path = path;
    this.#content = content;
  }

  /** Ask for a write; failures are told to `onFailure` and never end the cluster. */
  request(onFailure: (error: unknown) => void): void {
    this.#wanted = true;
    this.#writing ??= this.#drain().catch(onFailure);
  }

  /** Resolves when what was asked for is on disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#wanted) {
        this.#wanted = false;
        await writeFileAtomic(this.#path, `${JSON.stringify(this.#content(), null, 2)}\n`, 0o644);
      }
    } finally {
      this.#writing = undefined;
    }
  }
}
