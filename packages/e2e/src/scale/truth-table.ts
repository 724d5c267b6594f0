/** One row per judgement of a limit: what was admitted beside limit and bound. A row that breaks either side is a failed check of the report. */
import type { Report } from '../fuzz/report.js';
import type { Visit } from './crowd.js';

export interface TruthRow {
  readonly limit: string;
  readonly when: string;
  readonly allowed: number;
  /** How far above the limit the limiter says it may go. */
  readonly bound: number;
  readonly most: number;
  /** What was used on the average while demand exceeded it; absent = not judged, places of a silent edge still count. */
  readonly average?: number;
}

const leastShare = 0.99;

export function judgeRow({ allowed, bound, most, average }: TruthRow): string[] {
  const problems: string[] = [];
  if (most > allowed + bound) problems.push(`${most} admitted, limit ${allowed} + ${bound}`);
  if (average !== undefined && average < allowed * leastShare)
    problems.push(`${average.toFixed(1)} used on average of ${allowed} while more was asked for`);
  return problems;
}

export interface TruthTable {
  add(row: TruthRow): void;
  print(): void;
}

export function startTable(report: Report): TruthTable {
  const rows: TruthRow[] = [];
  return {
    add(row) {
      rows.push(row);
      report.check(`${row.limit}, ${row.when}`, judgeRow(row));
    },
    print() {
      report.say('| limit | when | admitted at most | limit | bound | used on average |');
      report.say('|---|---|---|---|---|---|');
      for (const { limit, when, most, allowed, bound, average } of rows)
        report.say(`| ${limit} | ${when} | ${most} | ${allowed} | ${bound} | ${average?.toFixed(1) ?? ''} |`);
    },
  };
}

/**
 * Who was let in by one edge after a time although the limit was used up by those present. What came before the edge was paused
 * was decided then, even when its banner was only seen later.
 */
export function admittedAbove(
  visits: readonly Visit[],
  edge: { readonly port: number; readonly pausedAt: number; readonly resumedAt: number },
  limit: number,
): Visit[] {
  const late = visits.filter(
    ({ port, openedAt, admittedAt }) => port === edge.port && openedAt > edge.pausedAt && admittedAt >= edge.resumedAt,
  );
  return late.filter(
    (one) =>
      visits.filter((other) => other !== one && other.admittedAt <= one.admittedAt && other.leftAt > one.admittedAt)
        .length >= limit,
  );
}
