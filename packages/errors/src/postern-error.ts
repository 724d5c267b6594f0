/**
 * The error that carries a catalogue id. Thrown for the unexpected only; what a caller is meant to branch on is a
 * return value. `detail` may be shown to the caller and never holds a secret; `cause` stays in the process.
 */
import { type CatalogueEntry, catalogue, type ErrorId } from './catalogue.js';

export class PosternError extends Error {
  override readonly name = 'PosternError';
  readonly id: ErrorId;
  readonly detail: string;

  constructor(id: ErrorId, detail = '', options?: { readonly cause?: unknown }) {
    super(detail === '' ? `${id}: ${catalogue[id].publicText}` : `${id}: ${detail}`, options);
    this.id = id;
    this.detail = detail;
  }

  get entry(): CatalogueEntry {
    return catalogue[this.id];
  }

  get temporary(): boolean {
    return catalogue[this.id].temporary;
  }
}

/** With an id: is it that error? */
export function isPosternError(error: unknown, id?: ErrorId): error is PosternError {
  return error instanceof PosternError && (id === undefined || error.id === id);
}

/** Whatever was thrown, as a PosternError: itself, or `internal` with the original as cause. */
export function toPosternError(error: unknown): PosternError {
  return isPosternError(error) ? error : new PosternError('internal', '', { cause: error });
}
