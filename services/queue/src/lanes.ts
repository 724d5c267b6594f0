/**
 * The window of each (tenant, lane): how much of it may be in WORK at once, so that a lane that stands still does not fill the stream before
 * the others (design.md, step 6). Counted by this pod from what it published and what it saw finished; several pods share the outcomes, so a
 * seen one counts for all pods; what the stream holds bounds the error: its messages, by as many items as this pod put into one lately. Below `busyAt` nothing is held back.
 * Bounded: at most 100,000 lanes are remembered; an empty stream forgets all.
 */

export interface LaneWindows {
  /** Takes a place when there is one. */
  admit(tenant: string, lane: string): boolean;
  /** Places free now. */
  room(tenant: string, lane: string): number;
  /** Takes places without asking. */
  take(tenant: string, lane: string, count: number): void;
  /** Items, admitted or taken one by one, went as one message. */
  together(items: number): void;
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
  /** Items in WORK from which on windows are applied. */
  readonly busyAt: number;
}

const rememberedLanes = 100_000;
/** Items between two looks that tell how many go into a message. */
const representative = 20;

export function createLaneWindows(options: WindowOptions): LaneWindows {
  const counts = new Map<string, number>();
  let streamMessages = 0;
  let streamItems = 0;
  let itemsPerMessage = 1;
  let publishedSince = 0;
  let sparedSince = 0;
  let pods = 1;
  let suspended = false;
  const key = (tenant: string, lane: string): string => `${tenant}\n${lane}`;
  const count = (tenant: string, lane: string): number =>
    Math.min(counts.get(key(tenant, lane)) ?? 0, streamItems + publishedSince);
  const room = (tenant: string, lane: string): number => {
    if (suspended || streamItems + publishedSince < options.busyAt) return options.size;
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
    together(items) {
      sparedSince += items - 1;
    },
    finish(tenant, lane) {
      const left = (counts.get(key(tenant, lane)) ?? 0) - pods;
      if (left > 0) counts.set(key(tenant, lane), left);
      else counts.delete(key(tenant, lane));
    },
    observe(messages, livePods) {
      const published = publishedSince - sparedSince;
      if (publishedSince >= representative && published > 0) itemsPerMessage = publishedSince / published;
      streamMessages = messages;
      streamItems = messages * itemsPerMessage;
      publishedSince = 0;
      sparedSince = 0;
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
