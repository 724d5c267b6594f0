/** What `posternctl trace` tells about a reply a client got: asked by the id in the reply until it says what is expected. */
import type { SmtpReply } from '@postern/testkit/smtp';
import { expect, vi } from 'vitest';
import type { Cluster } from '../cluster/index.js';

const ulid = '[0-9A-HJKMNP-TV-Z]{26}';

/** Every refusal ends with the session id in parentheses. */
export function sessionIdOf(reply: SmtpReply): string {
  const id = new RegExp(`\\((${ulid})\\)$`).exec(reply.text)?.[1];
  if (id === undefined) throw new Error(`no session id in: ${reply.code} ${reply.text}`);
  return id;
}

export function queueIdOf(reply: SmtpReply): string {
  const id = new RegExp(`queued as (${ulid})`).exec(reply.text)?.[1];
  if (id === undefined) throw new Error(`no queue id in: ${reply.code} ${reply.text}`);
  return id;
}

/** The trace of an id as JSON text, once every part of it is there. */
export async function explained(cluster: Cluster, id: string, ...parts: readonly (string | RegExp)[]): Promise<string> {
  let text = '';
  await vi.waitFor(
    async () => {
      const result = await cluster.ctl('--json', 'trace', id);
      text = result.stdout;
      expect(result.stderr).toBe('');
      for (const part of parts) expect(text).toMatch(part);
    },
    { timeout: 30_000, interval: 500 },
  );
  return text;
}
