/** Queue pods alive, by a heartbeat in `mail.pods`: outcomes spread over them, and each must scale what it sees. */
import type { Database, Statement } from './database.js';

const beat: Statement = {
  name: 'pods-beat',
  text: `INSERT INTO mail.pods (name, seen_at) VALUES ($1, $2::bigint) ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at`,
};
const alive: Statement = {
  name: 'pods-alive',
  text: `WITH gone AS (DELETE FROM mail.pods WHERE seen_at < $1::bigint - 600000) SELECT count(*)::int AS pods FROM mail.pods WHERE seen_at >= $1::bigint`,
};
const leave: Statement = { name: 'pods-leave', text: `DELETE FROM mail.pods WHERE name = $1` };

const aliveForMs = 30_000;

export async function beatPod(database: Database, name: string, nowMs: number): Promise<number> {
  return database.service(async (transaction) => {
    await transaction.run(beat, [name, nowMs]);
    const [row] = await transaction.query<{ pods: number }>(alive, [nowMs - aliveForMs]);
    return Math.max(1, row?.pods ?? 1);
  });
}

export const leavePod = (database: Database, name: string): Promise<number> =>
  database.service((transaction) => transaction.run(leave, [name]));
