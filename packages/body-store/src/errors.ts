/** What can go wrong with a body: it is not there, or the stream would not take it. Both are local faults: 4xx, never 5xx. */

export class BodyMissing extends Error {
  constructor(readonly bodyId: string) {
    super(`body ${bodyId} is not in the store`);
    this.name = 'BodyMissing';
  }
}

export class BodyRefused extends Error {
  constructor(
    readonly bodyId: string,
    /** refused: nothing stored (full); unknown: no answer in time. */
    readonly kind: 'refused' | 'unknown',
    reason: string,
  ) {
    super(`body ${bodyId} was not stored: ${reason}`);
    this.name = 'BodyRefused';
  }
}
