/**
 * Ports of listeners that two edges of this cluster would both open: edge k adds k to those of the person's own and has its own of the usual three. Known
 * before anything is started, and said of the line that was written. Within one edge its own checker says so.
 */
import { formatHostPort, overlap } from '@postern/config';
import type { Document } from '../service-config/context.js';
import { type OwnListener, ownListeners } from './own-listeners.js';
import type { EdgePorts } from './plan.js';

export interface PortConflict {
  /** Which of edge.moreListeners. */
  readonly index: number;
  readonly message: string;
}

interface Wanted {
  readonly by: string;
  readonly edge: number;
  readonly host: string;
  readonly port: number;
}

const usual = (edges: readonly EdgePorts[]): Wanted[] =>
  edges.flatMap((ports, edge) => Object.entries(ports).map(([by, port]) => ({ by, edge, host: '127.0.0.1', port })));

const ofEdges = ({ name, host, port }: OwnListener, edges: number): Wanted[] =>
  Array.from({ length: edges }, (_, edge) => ({ by: name, edge, host, port: port + edge }));

/** `sections`: what the person's file says for services. One line for each listener. */
export function portConflicts(sections: Document, edges: readonly EdgePorts[]): PortConflict[] {
  const before = usual(edges);
  return ownListeners(sections).flatMap((listener) => {
    const own = ofEdges(listener, edges.length);
    const pair = own.flatMap((one) => {
      const other = before.find((taken) => taken.edge !== one.edge && overlap(taken, one));
      return other === undefined ? [] : [{ one, other }];
    })[0];
    before.push(...own);
    if (pair === undefined) return [];
    const { one, other } = pair;
    const at = formatHostPort(one);
    const message = `"${formatHostPort(listener)}" leads to a port that two edges want: ${at} is of ${one.by} of edge-${one.edge} and of ${other.by} of edge-${other.edge}; expected as many free ports after it as there are edges (edge k adds k)`;
    return [{ index: listener.index, message }];
  });
}
