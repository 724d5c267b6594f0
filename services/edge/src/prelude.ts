/**
 * May this client begin a TLS handshake on a port that starts with TLS? Asked before a byte of it is read: bans and access rules, and how many
 * handshakes of its address (IPv6: prefix) run in this process: as many as the address may have connections by the limits that hold for it, and
 * where there is no such limit a tenth of all. Who is refused is cut off without a word, since none could be said in plain. The limits
 * themselves, over all pods, are asked after the handshake (`admission.ts`): a client that is over them learns why.
 */
import { clientPrefix } from '@postern/flow-control';
import { type RefusingLimit, refusingLimit } from '@postern/flow-control/session';
import { type AdmissionOptions, type AdmissionOutcome, barrier } from './admission.js';
import type { ClientFacts } from './session.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

/** Sockets of a listener at once that are still in their PROXY header or handshake. */
export const maxPreludes = 10_000;
const maxOfUnlimitedAddress = maxPreludes / 10;

export type PreludeEntry =
  | { readonly kind: 'entered'; readonly leave: () => void }
  | { readonly kind: 'refused'; readonly reason: string; readonly limit?: RefusingLimit };

export type PreludeGate = (client: ClientFacts) => PreludeEntry;

export type PreludeGateOptions = Pick<AdmissionOptions, 'snapshot' | 'abuse'> & {
  readonly onRefused: (outcome: AdmissionOutcome) => void;
};

interface Bound {
  readonly name: string;
  readonly limit: number;
}

/** The smallest limit of connections of one address; a set's takes the place of the others in its members' scopes. */
function boundOf(snapshot: CompiledSnapshot, { listener, clientAddress }: ClientFacts): Bound {
  const { scopes } = snapshot.policyFor(listener, snapshot.ipSet(listener, clientAddress, false)?.name);
  let bound: Bound = { name: 'handshakes', limit: maxOfUnlimitedAddress };
  for (const { name, limits } of scopes) {
    const limit = limits.simultaneousPerAddress ?? bound.limit;
    if (limit < bound.limit) bound = { name, limit };
  }
  return bound;
}

export function createPreludeGate({ snapshot, abuse, onRefused }: PreludeGateOptions): PreludeGate {
  const running = new Map<string, number>();
  const refuse = (outcome: AdmissionOutcome, reason: string): PreludeEntry => {
    onRefused(outcome);
    const limited = outcome === 'limit' ? refusingLimit('handshakes_per_address') : {};
    return { kind: 'refused', reason: `${reason}, before TLS`, ...limited };
  };
  return (client) => {
    const now = snapshot();
    // Told after the handshake.
    if (now === undefined) return { kind: 'entered', leave: () => undefined };
    const barred = barrier(now, abuse, client);
    if (barred !== undefined) return refuse(barred.outcome, barred.reason);
    const key = `${client.listener.name} ${clientPrefix(client.clientAddress, now.ipv6Prefix)}`;
    const already = running.get(key) ?? 0;
    const bound = boundOf(now, client);
    if (already >= bound.limit) return refuse('limit', `${bound.name} simultaneous-per-address limit ${bound.limit}`);
    running.set(key, already + 1);
    let isInside = true;
    const leave = (): void => {
      if (!isInside) return;
      isInside = false;
      const left = (running.get(key) ?? 1) - 1;
      if (left === 0) running.delete(key);
      else running.set(key, left);
    };
    return { kind: 'entered', leave };
  };
}
