/**
 * One Redis ACL user per service that uses Redis (design.md, Trust): its own keys, and of the commands those it gives. The default user is
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

/** What the client says to set a connection up; INFO it asks once to know that the server has loaded its data. */
const connection =
  'auth hello ping quit select info client|setname client|id command cluster|slots cluster|info readonly';
/** What is asked for outside scripts, and within them. */
const direct = 'get set unlink eval evalsha script|load';
const scripted =
  'del exists hdel hget hgetall hincrby hmget hset incr lindex lpush lrange ltrim pexpire pttl time zadd zcard zcount zrange zrangebyscore zrem zremrangebyrank zremrangebyscore zscore';

const commandsOf: Readonly<Record<RedisService, string>> = {
  edge: `${connection} ${direct} ${scripted}`,
  // SCAN finds what of the greylist is to be forgotten; lists and their newest entries are recorded sessions.
  policy: `${connection} ${direct} ${scripted} scan llen rpush zrevrangebyscore`,
  delivery: `${connection} get set`,
};

/** The text of the ACL file. */
export function redisAcl(passwords: Readonly<Record<RedisService, string>>): string {
  const lines = redisServices.map((service) => {
    const hash = createHash('sha256').update(passwords[service]).digest('hex');
    const keys = keysOf[service].map((pattern) => `~${pattern}`).join(' ');
    const commands = commandsOf[service]
      .split(' ')
      .map((command) => `+${command}`)
      .join(' ');
    return `user ${service} on #${hash} ${keys} resetchannels -@all ${commands}`;
  });
  return `${['user default off', ...lines].join('\n')}\n`;
}
