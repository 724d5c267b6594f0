/**
 * Rules of the operator file beside those saved through the API: within one owner and scope an id means one rule, wherever it was written.
 * Pods compile both as one set, so a pair with the same id, or too many together, is refused before it reaches them.
 */
import { ConfigError, type PlainValue } from '@postern/config';
import type { Transaction } from '../database/tenant-scope.js';
import { type FileRule, fileRules, isMap } from './file-rules.js';
import type { OperatorDocument } from './schema.js';

/** Of one owner and scope, the file's and the saved ones together. */
export const mostRules = 10_000;

interface RulePlace {
  readonly tenant: string;
  readonly scope: string;
}

const idOf = ({ rule }: FileRule): string => (isMap(rule) && typeof rule.id === 'string' ? rule.id : '');

/** Ids the operator file gives to rules of this owner and scope. */
export function idsInFile({ rules }: OperatorDocument, place: RulePlace): ReadonlySet<string> {
  const own = fileRules(rules).filter(({ tenant, scope }) => tenant === place.tenant && scope === place.scope);
  return new Set(own.map(idOf));
}

const usualPriority = 100;

/** Of a document that has been found right. */
export const priorityOf = ({ priority }: Readonly<Record<string, PlainValue>>): number =>
  typeof priority === 'number' ? priority : usualPriority;

export interface InFile extends RulePlace {
  readonly id: string;
  readonly priority: number;
  /** JSON, for people. */
  readonly document: string;
}

/** As they stand in the file. */
export function rulesInFile({ rules }: Pick<OperatorDocument, 'rules'>): InFile[] {
  return fileRules(rules).flatMap((one) =>
    isMap(one.rule)
      ? [
          {
            ...{ tenant: one.tenant, scope: one.scope, id: idOf(one), priority: priorityOf(one.rule) },
            document: JSON.stringify(one.rule, null, 2),
          },
        ]
      : [],
  );
}

export async function refuseStoredRules(tx: Transaction, { rules }: OperatorDocument, file: string): Promise<void> {
  const wanted = fileRules(rules).map((rule) => ({ ...rule, id: idOf(rule) }));
  if (wanted.length === 0) return;
  const list = JSON.stringify(wanted.map(({ index, tenant, scope, id }) => ({ index, tenant, scope, id })));
  const taken = await tx.rows<{ index: number; tenant: string; id: string }>(
    `SELECT w.index, w.tenant, w.id FROM jsonb_to_recordset($1::jsonb) AS w (index int, tenant text, scope text, id text)
     JOIN rules r ON r.tenant = w.tenant AND r.scope = w.scope AND r.id = w.id ORDER BY w.index LIMIT 20`,
    [list],
  );
  const full = await tx.rows<{ index: number; n: number }>(
    `SELECT w.index, w.n + r.n AS n
     FROM (SELECT tenant, scope, min(index) AS index, count(*)::int AS n
       FROM jsonb_to_recordset($1::jsonb) AS f (index int, tenant text, scope text) GROUP BY tenant, scope) w
     JOIN (SELECT tenant, scope, count(*)::int AS n FROM rules GROUP BY tenant, scope) r USING (tenant, scope)
     WHERE w.n + r.n > $2 ORDER BY w.index LIMIT 20`,
    [list, mostRules],
  );
  const problems = [
    ...taken.map(({ index, tenant, id }) => {
      const owner = tenant === '' ? 'a rule of the server' : `a rule of tenant ${tenant}`;
      const message = `${JSON.stringify(id)} is the id of ${owner} saved through the API already; expected another id, or that rule deleted`;
      return { place: file, path: `rules[${index}].id`, message };
    }),
    ...full.map(({ index, n }) => {
      const message = `makes ${n} rules with those saved through the API; expected at most ${mostRules} of one owner and scope`;
      return { place: file, path: `rules[${index}]`, message };
    }),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
}
