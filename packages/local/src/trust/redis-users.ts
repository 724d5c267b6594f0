/**
 * One Redis ACL user per service that uses Redis (design.md, Trust): its own keys, no administration. The default user is
 * off. The file holds hashes, not passwords.
 */
import { createHash } from 'node:crypto';

export type RedisService = 'edge' | 'policy' | 'delivery';

export const redisServices: readonly RedisService[] = ['edge', 'policy', 'delivery'];

const keysOf: Readonly<Record<RedisService, readonly string[]>> = {
  edge: ['{postern:flow:*', '{postern:edge:*', 'postern:edge:*'],
  // Limits and bans are shown and lifted by policy for whoever operates the cluster.
  policy: ['{postern:policy:*', 'postern:policy:*', '{postern:flow:*'],
  delivery: ['{postern:delivery:*', 'postern:delivery:*', 'postern:done:*'],
};

/** The text of the ACL file. */
export function redisAcl(passwords: Readonly<Record<RedisService, string>>): string {
  const lines = redisServices.map((service) => {
    const hash = createHash('sha256').update(passwords[service]).digest('hex');
    const keys = keysOf[service].map((pattern) => `~${pattern}`).join(' ');
    // INFO is counted as dangerous, and the client asks it once to know that the server has loaded its data.
    return `user ${service} on #${hash} ${keys} resetchannels +@all -@admin -@dangerous +info`;
  });
  return `${['user default off', ...lines].join('\n')}\n`;
}
