/** What is compared: something that judges one message, whose processes are known. */
import type { Letter } from './load.js';

export interface JudgePeer {
  readonly name: string;
  readonly pids: readonly number[];
  /** Throws where the verdict is not the one every message of the load must have. */
  judge(letter: Letter): Promise<void>;
  stop(): Promise<void>;
}
