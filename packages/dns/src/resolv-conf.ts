/** The servers the machine itself uses, read only when a caller says so. resolv.conf(5); other keywords are left alone. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

const MAX_SERVERS = 8;

export async function readResolvConf(path = '/etc/resolv.conf'): Promise<string[]> {
  return parseResolvConf(await readFile(path, 'utf8'));
}

export function parseResolvConf(text: string): string[] {
  const servers: string[] = [];
  for (const line of text.split('\n')) {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    if (address !== undefined && isIP(address) !== 0 && servers.length < MAX_SERVERS) servers.push(address);
  }
  return servers;
}
