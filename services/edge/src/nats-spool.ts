/**
 * The spool over JetStream. Order of the durable steps: the body is whole in BODIES, then the SPOOL message that names it, then 250; so a
 * crash in between leaves a body that nothing names, which the sweep removes, never a message without its body.
 * The write itself is shared with the mails of the same moments (`group-commit.ts`); asking again after a timeout cannot store it twice (design.md,
 * step 5).
 */
import { BodyRefused, type BodyStore, type BodyWriter } from '@postern/body-store';
import { failpoint } from '@postern/lifecycle';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import type { GroupCommit } from './group-commit.js';
import { HeldBytes } from './held-bytes.js';
import type { Spool, SpoolResult, SpoolWriter } from './spool.js';

export interface SpoolOptions {
  readonly bodies: Pick<BodyStore, 'write'>;
  readonly commits: Pick<GroupCommit, 'store'>;
  readonly inlineLimit: number;
  /** Called with the time each durable write took. */
  readonly onCommitted: (seconds: number, result: SpoolResult['kind'], isLarge: boolean) => void;
  readonly now: () => number;
}

function resultOf(error: unknown): SpoolResult {
  if (error instanceof BodyRefused && error.kind === 'refused') return { kind: 'full', reason: error.message };
  return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) };
}

class NatsSpoolWriter implements SpoolWriter {
  readonly #held: HeldBytes;
  #body: BodyWriter | undefined;
  #failure: SpoolResult | undefined;

  constructor(
    private readonly queueId: string,
    private readonly options: SpoolOptions,
  ) {
    this.#held = new HeldBytes(options.inlineLimit);
  }

  get isLarge(): boolean {
    return this.#body !== undefined;
  }

  write(content: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) return undefined;
    if (this.#body !== undefined) return this.#send(this.#body, content);
    this.#held.add(content);
    if (this.#held.size <= this.options.inlineLimit) return undefined;
    const head = this.head();
    this.#body = this.options.bodies.write(this.queueId);
    return this.#send(this.#body, head);
  }

  async #send(body: BodyWriter, content: Buffer): Promise<void> {
    try {
      await body.write(content);
    } catch (error) {
      this.#failure ??= resultOf(error);
    }
  }

  head(): Buffer {
    return this.#held.whole();
  }

  async commit(envelope: Envelope): Promise<SpoolResult> {
    const started = this.options.now();
    const result = await this.#store(envelope);
    this.options.onCommitted((this.options.now() - started) / 1_000, result.kind, this.isLarge);
    return result;
  }

  async #store(envelope: Envelope): Promise<SpoolResult> {
    if (this.#failure !== undefined) return this.#failure;
    envelope.body = {
      place:
        this.#body === undefined ? { $case: 'inline', value: this.head() } : { $case: 'bodyId', value: this.queueId },
    };
    const bytes = Envelope.encode(envelope).finish();
    if (this.#body !== undefined) {
      try {
        await this.#body.finish(bytes);
      } catch (error) {
        return resultOf(error);
      }
      failpoint('edge.after-body-finish');
    }
    const answer = await this.options.commits.store(this.queueId, bytes);
    failpoint('edge.after-spool-publish');
    if (answer.kind === 'stored') return { kind: 'stored' };
    return { kind: answer.kind === 'refused' ? 'full' : 'unknown', reason: answer.reason };
  }

  abort(): void {
    this.#held.clear();
    this.#body?.abort();
  }
}

export function createNatsSpool(options: SpoolOptions): Spool {
  return { open: (queueId) => new NatsSpoolWriter(queueId, options) };
}
