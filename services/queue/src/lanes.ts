/**
 * The window of each (tenant, lane): how much of it may be in WORK at once, so that a lane that stands still does not fill the stream before
 * the others (design.md, step 6). Counted by this pod from what it published and what it saw finished; several pods share the outcomes, so a
 * seen one counts for all pods; the stream's own message count bounds the error. Below `busyAt` messages nothing is held back.
 * Bounded: at most 100,000 lanes are remembered; an empty stream forgets all.
 */

export interface LaneWindows {
  /** Takes a place when there is one. */
  admit(tenant: string, lane: string): boolean;
  /** Places free now. */
  room(tenant: string, lane: string): number;
  /** Takes places without asking. */
  take(tenant: string, lane: string, count: number): void;
  /** An item was finished or came back. */
  finish(tenant: string, lane: string): void;
  /** What the stream holds now, and over how many pods the outcomes spread. */
  observe(streamMessages: number, pods: number): void;
  /** While rows cannot be written nothing may be made to wait. */
  suspend(on: boolean): void;
  readonly streamMessages: number;
}

export interface WindowOptions {
  /** Items of one lane in WORK at most. */
  readonly size: number;
  /** Messages in WORK from which on windows are applied. */
  readonly busyAt: number;
}

const rememberedLanes = 100_000;

export function createLaneWindows(options: WindowOptions): LaneWindows {
  const counts = new Map<string, number>();
  let streamMessages = 0;
  let publishedSince = 0;
  let pods = 1;
  let suspended = false;
  const key = (tenant: string, lane: string): string => `${tenant}\n${lane}`;
  const count = (tenant: string, lane: string): number =>
    Math.min(counts.get(key(tenant, lane)) ?? 0, streamMessages + publishedSince);
  const room = (tenant: string, lane: string): number => {
    if (suspended || streamMessages + publishedSince < options.busyAt) return options.size;
    return Math.max(0, options.size - count(tenant, lane));
  };
  const take = (tenant: string, lane: string, items: number): void => {
    if (counts.size >= rememberedLanes) counts.clear();
    counts.set(key(tenant, lane), count(tenant, lane) + items);
    publishedSince += items;
  };
  return {
    room,
    take,
    admit(tenant, lane) {
      if (room(tenant, lane) === 0) return false;
      take(tenant, lane, 1);
      return true;
    },
    finish(tenant, lane) {
      const left = (counts.get(key(tenant, lane)) ?? 0) - pods;
      if (left > 0) counts.set(key(tenant, lane), left);
      else counts.delete(key(tenant, lane));
    },
    observe(messages, livePods) {
      streamMessages = messages;
      publishedSince = 0;
      pods = Math.max(1, livePods);
      if (messages === 0) counts.clear();
    },
    suspend(on) {
      suspended = on;
    },
    get streamMessages() {
      return streamMessages;
    },
  };
}
