/** Bans in the store: put there by hand, lifted, listed, read as changes. Every answer is parsed here; what cannot be read is no ban. */
import type { LimitStore } from '../limit-store.js';
import { SHOW } from '../scripts.js';
import { BAN, banKeys, CHANGES, errorKey, LIFT, strikeKey } from './scripts.js';

export interface Ban {
  /** Address or IPv6 prefix, as connections are counted. */
  readonly prefix: string;
  readonly remainingMs: number;
  /** Milliseconds it has lasted. */
  readonly ageMs: number;
  /** `errors`, or who put it there. */
  readonly by: string;
  readonly reason: string;
}

export interface BanChanges {
  readonly epoch: string;
  readonly version: number;
  readonly changes: readonly (Ban | { readonly prefix: string; readonly lifted: true })[];
}

/** What a client can do wrong that is counted for its address. */
export const errorKinds = ['bad_command', 'failed_login', 'unknown_recipient'] as const;
export type ErrorKind = (typeof errorKinds)[number];

export interface ErrorReading {
  readonly kind: ErrorKind;
  readonly limit: number;
  readonly used: number;
  readonly resetMs: number;
}

export const mostBans = 100_000;
const page = 1_000;

export class BanBook {
  readonly #store: LimitStore;

  constructor(store: LimitStore) {
    this.#store = store;
  }

  async add(prefix: string, lengthMs: number, by: string, reason: string): Promise<void> {
    const clean = (text: string): string => text.replace(/[|\p{Cc}]/gu, ' ').slice(0, 200);
    await this.#store.run(BAN, banKeys, [prefix, lengthMs, clean(by), clean(reason), mostBans]);
  }

  /** Errors of an address that count now, for the kinds that have a limit. */
  async errors(prefix: string, limits: Readonly<Record<ErrorKind, number>>, windowMs: number): Promise<ErrorReading[]> {
    const kinds = errorKinds.filter((kind) => limits[kind] > 0);
    if (kinds.length === 0) return [];
    const keys = kinds.map((kind) => errorKey(kind, prefix));
    const windows = kinds.flatMap((kind) => [limits[kind] - 1, windowMs]);
    const used = await this.#store.run(SHOW, keys, [0, 0, ...windows]);
    return kinds.map((kind, index) => ({
      kind,
      limit: limits[kind],
      used: used[index * 2] ?? 0,
      resetMs: used[index * 2 + 1] ?? 0,
    }));
  }

  /** False: it was not banned. What it did wrong is forgotten in any case. */
  async lift(prefix: string): Promise<boolean> {
    const keys = [...banKeys, strikeKey(prefix), ...errorKinds.map((kind) => errorKey(kind, prefix))];
    const [was] = await this.#store.run(LIFT, keys, [prefix]);
    return was === 1;
  }

  /** What changed since; at most 1,000, so ask again while something comes. Another epoch in the answer = everything from the start. */
  async changes(epoch: string, version: number): Promise<BanChanges> {
    const answer = await this.#store.ask(CHANGES, banKeys, [epoch, version, page]);
    if (!Array.isArray(answer)) throw new Error('changes of bans in an unknown shape');
    const [now, ...rest] = answer.slice(2).map(String);
    const changes: BanChanges['changes'][number][] = [];
    for (let at = 0; at + 1 < rest.length; at += 2)
      changes.push(parse(rest[at] ?? '', rest[at + 1] ?? '', Number(now)));
    return { epoch: String(answer[0]), version: Number(answer[1]), changes };
  }

  /** All that hold now. */
  async list(): Promise<Ban[]> {
    const found = new Map<string, Ban>();
    let epoch = '';
    let version = 0;
    for (let turn = 0; turn <= mostBans / page; turn++) {
      const next = await this.changes(epoch, version);
      if (epoch !== '' && next.epoch !== epoch) found.clear();
      for (const change of next.changes)
        if ('lifted' in change) found.delete(change.prefix);
        else found.set(change.prefix, change);
      if (next.changes.length === 0) break;
      ({ epoch, version } = next);
    }
    return [...found.values()].filter(({ remainingMs }) => remainingMs > 0);
  }
}

function parse(prefix: string, value: string, now: number): BanChanges['changes'][number] {
  const [until = '', since = '', by = '', ...reason] = value.split('|');
  if (value === '' || !/^\d+$/.test(until)) return { prefix, lifted: true };
  return {
    prefix,
    remainingMs: Number(until) - now,
    ageMs: Math.max(0, now - Number(since)),
    by,
    reason: reason.join('|'),
  };
}
