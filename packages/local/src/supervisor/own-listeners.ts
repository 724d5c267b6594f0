/**
 * Listeners of the person's own (`edge.moreListeners`), as every edge of this cluster has them: edge k adds k to their ports. They are known
 * before anything is started, so that a port in use is one clear line; one that two edges would want: `port-conflicts.ts`. A port 0 is chosen by the edge and
 * not known here.
 */
import { formatHostPort, parseHostPort } from '@postern/config';
import { portIsFree } from '../servers/free-port.js';
import type { Document } from '../service-config/context.js';
import { SetupError } from '../setup-error.js';

export interface OwnListener {
  readonly name: string;
  /** Which of edge.moreListeners. */
  readonly index: number;
  readonly host: string;
  /** Of edge 0. */
  readonly port: number;
}

/** The checker of the edge has judged the section: what is read otherwise here is no listener. */
function written(listener: unknown, index: number): OwnListener[] {
  if (typeof listener !== 'object' || listener === null || !('name' in listener) || !('address' in listener)) return [];
  const { name, address } = listener;
  const parsed = typeof address === 'string' ? parseHostPort(address) : undefined;
  return typeof name !== 'string' || parsed === undefined || parsed.port === 0 ? [] : [{ name, index, ...parsed }];
}

/** `sections`: what the person's file says for services. */
export function ownListeners({ edge }: Document): OwnListener[] {
  const given = typeof edge === 'object' && edge !== null && 'moreListeners' in edge ? edge.moreListeners : [];
  const list: readonly unknown[] = Array.isArray(given) ? given : [];
  return list.flatMap(written);
}

/** Of edge k at index k. */
export const addressesOf = ({ host, port }: OwnListener, edges: number): string[] =>
  Array.from({ length: edges }, (_, edge) => formatHostPort({ host, port: port + edge }));

/** Throws SetupError where a port is in use. */
export async function assertOwnPortsFree(listeners: readonly OwnListener[], edges: number): Promise<void> {
  for (const { name, host, port } of listeners) {
    for (let edge = 0; edge < edges; edge++) {
      if (await portIsFree(port + edge, host)) continue;
      throw new SetupError(
        `Port ${port + edge} (${name} of edge-${edge}) cannot be had on ${host}: it is in use, or the address is not of this machine.`,
        'stop the program that has it, or change edge.moreListeners in the file given with --config (edge k adds k).',
      );
    }
  }
}
