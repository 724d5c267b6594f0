/** The place a connection has in the limits while it is open: asked for before the banner and again for another client (XCLIENT), given back once. */
import type { RefusingLimit } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { Session } from '../session.js';

/** What happens before the banner: admitted, or refused with a reply. */
export type Opening =
  | { readonly kind: 'admitted'; readonly release: () => void }
  | { readonly kind: 'refused'; readonly reply: Reply; readonly reason: string; readonly limit?: RefusingLimit };

export class Place {
  readonly #admit: (session: Session) => Promise<Opening>;
  #release: (() => void) | undefined;
  #isOver = false;

  constructor(admit: (session: Session) => Promise<Opening>) {
    this.#admit = admit;
  }

  async take(session: Session): Promise<Opening> {
    this.#giveBack();
    const opening = await this.#admit(session).catch((error: unknown): Opening => {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: 'refused', reply: replies.notReady, reason };
    });
    if (opening.kind !== 'admitted') return opening;
    this.#release = opening.release;
    if (this.#isOver) this.#giveBack();
    return opening;
  }

  /** The connection is gone. */
  leave(): void {
    this.#isOver = true;
    this.#giveBack();
  }

  #giveBack(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}
