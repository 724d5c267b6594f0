/** The octets of one upload, copied for a recording: all of them or none. What is held comes out of the room of the pod and goes back to it. */
export class HeldContent {
  readonly #most: number;
  readonly #room: { left: number };
  #chunks: Buffer[] | undefined = [];
  #size = 0;

  constructor(most: number, room: { left: number }) {
    this.#most = most;
    this.#room = room;
  }

  add(chunk: Buffer): void {
    if (this.#chunks === undefined) return;
    if (this.#size + chunk.length > this.#most || chunk.length > this.#room.left) {
      this.release();
      return;
    }
    this.#room.left -= chunk.length;
    this.#size += chunk.length;
    this.#chunks.push(Buffer.from(chunk));
  }

  /** Undefined = it was too much, or nothing came. */
  whole(): Buffer | undefined {
    return this.#chunks === undefined || this.#size === 0 ? undefined : Buffer.concat(this.#chunks, this.#size);
  }

  /** Nothing is held any more, nor will be. */
  release(): void {
    this.#room.left += this.#size;
    this.#size = 0;
    this.#chunks = undefined;
  }
}
