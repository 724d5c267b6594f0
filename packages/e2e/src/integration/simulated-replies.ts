/** What a simulated session of one message hears from its recipients on; a stranger's on port 25, as `posternctl simulate` tells it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../cluster/index.js';

/** Replies to RCPT are of this stage, those to the data of later ones. */
const firstStage = 5;

const field = (reply: unknown, name: string): string =>
  typeof reply === 'object' && reply !== null ? String(Reflect.get(reply, name) ?? '') : '';

/** A simulation declares the size of the message it is given. */
export async function simulatedReplies(cluster: Cluster, to: readonly string[], message?: Buffer): Promise<string[]> {
  const file = join(cluster.dataDir, 'described.eml');
  if (message !== undefined) await writeFile(file, message);
  const result = await cluster.ctlJson(
    ...['simulate', '--client', '127.0.0.1', '--helo', 'client.test', '--from', 'a@good.test', '--no-tls'],
    ...to.flatMap((address) => ['--to', address]),
    ...(message === undefined ? [] : ['--message', file]),
  );
  const replies: unknown = typeof result === 'object' && result !== null ? Reflect.get(result, 'replies') : undefined;
  if (!Array.isArray(replies)) throw new Error(JSON.stringify(result));
  return replies
    .filter((reply) => Number(field(reply, 'stage')) >= firstStage)
    .map((reply) => [field(reply, 'replyCode'), field(reply, 'enhancedCode'), field(reply, 'text')].join(' '))
    .map((said) => said.replace(/queued as .*/, 'queued as'));
}
