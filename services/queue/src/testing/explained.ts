/** A transaction that asks for the plan of each statement instead of running it, and keeps the plans. */
import type { Transaction } from '../store/database.js';

export function explained(transaction: Transaction, plans: string[]): Transaction {
  return {
    ...transaction,
    query: async (statement, values) => {
      const told = { name: `explain-${statement.name}`, text: `EXPLAIN ${statement.text}` };
      const lines = await transaction.query<{ 'QUERY PLAN': string }>(told, values);
      plans.push(lines.map((line) => line['QUERY PLAN']).join('\n'));
      return [];
    },
  };
}
