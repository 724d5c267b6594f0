/**
 * That the operator file on disk was refused, for `status`: whoever made the mistake does not read the log of a pod. What does not parse is
 * seen by every pod in its own copy; what cannot be applied is found by the leader alone and kept in the database, so that any pod can tell.
 * The leader's first file that can be applied ends it.
 */
import type { Clock } from '@postern/clock';
import type { ConfigError } from '@postern/config';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';

export interface Refusal {
  /** One line each, with file, line, field, value and what is allowed. */
  readonly problems: readonly string[];
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

const rowName = 'refused';

export class RefusalNote {
  readonly #withTenant: WithTenant;
  readonly #clock: Clock;
  /** Of this pod's own reading. */
  #unreadable: Refusal | undefined;

  constructor(withTenant: WithTenant, clock: Clock) {
    this.#withTenant = withTenant;
    this.#clock = clock;
  }

  /** The file as this pod reads it; undefined = it parses. */
  read(error: ConfigError | undefined): void {
    this.#unreadable = error === undefined ? undefined : this.#refusalOf(error);
  }

  /** The leader could not apply the file, or could. */
  async applied(error: ConfigError | undefined): Promise<void> {
    await this.#withTenant(operatorScope, (tx) =>
      error === undefined
        ? tx.run('DELETE FROM operator_settings WHERE name = $1', [rowName])
        : tx.run(
            `INSERT INTO operator_settings (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
            [rowName, JSON.stringify(this.#refusalOf(error))],
          ),
    );
  }

  async current(): Promise<Refusal | undefined> {
    if (this.#unreadable !== undefined) return this.#unreadable;
    const [row] = await this.#withTenant(operatorScope, (tx) =>
      tx.rows<{ refusal: Refusal }>('SELECT value::jsonb AS refusal FROM operator_settings WHERE name = $1', [rowName]),
    );
    return row?.refusal;
  }

  #refusalOf(error: ConfigError): Refusal {
    return { problems: error.message.split('\n'), atMs: this.#clock.now() };
  }
}
