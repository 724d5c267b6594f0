/** Settings of sessions that come with the pod, not with the snapshot. Defaults are what `config.ts` documents. */
import type { EdgeConfig } from './config.js';

export interface SessionSettings {
  /** Name of this pod in the envelope and in logs. */
  readonly podName: string;
  /** Bodies up to this size travel inside the SPOOL message. */
  readonly inlineLimit: number;
  /** Octets of a message line without CRLF. */
  readonly maxLineLength: number;
  /** Most Received fields of a message; with one more it loops (RFC 5321 §6.3). */
  readonly maxHops: number;
  /** Failed logins per session. */
  readonly maxAuthFailures: number;
  /** Commands without mail per session: NOOP, RSET, EHLO, VRFY ... */
  readonly maxIdleCommands: number;
  /** Recipients put off (4xx) between two accepted messages of a session; another command that is put off counts as ten. */
  readonly maxDeferrals: number;
  /** Recipients asked about in one policy request. */
  readonly maxRecipientGroup: number;
  readonly policyDeadlineMs: number;
  readonly contentDeadlineMs: number;
}

export const defaultSessionSettings: SessionSettings = {
  podName: 'edge',
  inlineLimit: 128 * 1024,
  maxLineLength: 65_536,
  maxHops: 30,
  maxAuthFailures: 3,
  maxIdleCommands: 100,
  maxDeferrals: 10_000,
  maxRecipientGroup: 100,
  policyDeadlineMs: 10_000,
  contentDeadlineMs: 120_000,
};

export function settingsOf(edge: EdgeConfig['edge']): SessionSettings {
  return {
    ...defaultSessionSettings,
    podName: edge.podName,
    inlineLimit: edge.inlineLimit,
    maxLineLength: edge.maxLineLength,
    maxHops: edge.maxHops,
    maxAuthFailures: edge.maxAuthFailures,
    policyDeadlineMs: edge.policy.deadline,
    contentDeadlineMs: edge.policy.contentDeadline,
  };
}
