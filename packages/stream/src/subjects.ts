/**
 * Subjects of the streams. The egress pool and one of 64 fixed shards are in the WORK subject from the start (design.md, State).
 * Tokens come from ids and pool names only, never from addresses: NATS wildcards and spaces cannot be injected.
 */

export const workShards = 64;

const safeToken = /^[A-Za-z0-9_-]{1,64}$/;

/** FNV-1a over the id, to a shard from 0 to 63. */
export function shardOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) {
    hash ^= id.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % workShards;
}

function token(text: string): string {
  if (!safeToken.test(text)) throw new RangeError(`not a subject token: ${JSON.stringify(text)}`);
  return text;
}

export const spoolSubject = (queueId: string): string => `spool.${shardOf(queueId)}`;
export const workSubject = (egressPool: string, queueId: string): string =>
  `work.${token(egressPool)}.${shardOf(queueId)}`;
const lastToken = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);
/** Where in SPOOL a mail belongs that came on this subject, of SPOOL or left in WORK. */
export const spoolSubjectOf = (subject: string): string => `spool.${lastToken(subject)}`;

/** Where in WORK a message of SPOOL is left that came back; no egress pool can have this name. */
const back = '~back';
export const backSubjects = `work.${back}.>`;
export const backSubject = (spooled: string): string => `work.${back}.${lastToken(spooled)}`;
export const isBackSubject = (subject: string): boolean => subject.startsWith(`work.${back}.`);
export const outcomesSubject = (source: 'queue' | 'delivery'): string => `outcomes.${source}`;
export const traceSubject = (service: string): string => `trace.${token(service)}`;
export const parkedSubject = (stream: string): string => `parked.${token(stream.toLowerCase())}`;
export const bodyChunkSubject = (bodyId: string, chunk: number): string => `bodies.${token(bodyId)}.${chunk}`;
export const bodySubjects = (bodyId: string): string => `bodies.${token(bodyId)}.>`;
/** Egress pool names obey this (they are subject tokens and part of consumer names). */
export const isEgressPoolName = (text: string): boolean => safeToken.test(text);
