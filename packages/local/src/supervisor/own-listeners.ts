/**
 * Listeners of the person's own (`edge.moreListeners`), as every edge of this cluster has them: edge k adds k to their ports. They are known
 * before anything is started, so that a port in use, or one that two edges would want, is one clear line. A port 0 is chosen by the edge and not
 * known here.
 */
import { formatHostPort, parseHostPort } from '@postern/config';
import { portIsFree } from '../servers/free-port.js';
import type { Document } from '../service-config/context.js';
import { SetupError } from '../setup-error.js';
import type { EdgePorts } from './plan.js';

export interface OwnListener {
  readonly name: string;
  /** Of edge k at index k. */
  readonly addresses: readonly string[];
}

interface Written {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** The checker of the edge has judged the section: what is read otherwise here is no listener. */
function written(listener: unknown): Written[] {
  if (typeof listener !== 'object' || listener === null || !('name' in listener) || !('address' in listener)) return [];
  const { name, address } = listener;
  const parsed = typeof address === 'string' ? parseHostPort(address) : undefined;
  return typeof name !== 'string' || parsed === undefined || parsed.port === 0 ? [] : [{ name, ...parsed }];
}

/** `sections`: what the person's file says for services. */
export function ownListeners({ edge }: Document, edges: number): OwnListener[] {
  const given = typeof edge === 'object' && edge !== null && 'moreListeners' in edge ? edge.moreListeners : [];
  const list: readonly unknown[] = Array.isArray(given) ? given : [];
  return list.flatMap(written).map(({ name, host, port }) => ({
    name,
    addresses: Array.from({ length: edges }, (_, edge) => formatHostPort({ host, port: port + edge })),
  }));
}

/** Throws SetupError where a port is wanted twice or in use. */
export async function assertOwnPortsFree(
  listeners: readonly OwnListener[],
  edges: readonly EdgePorts[],
): Promise<void> {
  const wanted = new Map<string, string>();
  for (const [edge, ports] of edges.entries())
    for (const [name, port] of Object.entries(ports)) wanted.set(`127.0.0.1:${port}`, `${name} of edge-${edge}`);
  for (const { name, addresses } of listeners) {
    for (const [edge, address] of addresses.entries()) {
      const other = wanted.get(address);
      if (other !== undefined) {
        throw new SetupError(
          `${address} is wanted by ${name} of edge-${edge} and by ${other}.`,
          'leave as many ports free after each of edge.moreListeners as there are edges (edge k adds k), or choose another --port-base.',
        );
      }
      wanted.set(address, `${name} of edge-${edge}`);
      const at = parseHostPort(address);
      if (at === undefined || (await portIsFree(at.port, at.host))) continue;
      throw new SetupError(
        `Port ${at.port} (${name} of edge-${edge}) cannot be had on ${at.host}: it is in use, or the address is not of this machine.`,
        'stop the program that has it, or change edge.moreListeners in the file given with --config (edge k adds k).',
      );
    }
  }
}
