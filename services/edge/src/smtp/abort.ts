/**
 * Why we end a session that does not end itself, and the last reply to its client: always 421 (RFC 5321 §3.8), whatever the refusal is elsewhere. Ends that
 * a command brings about are the dialogue's own.
 */
import type { LimitName } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { Ending } from '../abort-reason.js';
import type { Noise } from './command-stream.js';
import type { LostPatience } from './patience.js';

export interface Abort {
  readonly reply: Reply;
  /** For log and trace. */
  readonly reason: string;
  /** For the metric. */
  readonly ending: Ending;
  readonly limit?: LimitName;
}

/** `httpRequest`: before the banner; later the dialogue itself says it. */
type Misdirected = Noise | 'httpRequest';

const noise: Readonly<Record<Misdirected, Reply>> = {
  endlessLine: replies.lineTooLong,
  tlsHello: replies.tlsNotHere,
  proxyHeader: replies.proxyNotHere,
  httpRequest: replies.httpNotHere,
};

export const aborts = {
  /** RFC 5321 §4.3.1: the server speaks first; one octet while its banner waits for silence is one too many. */
  earlyTalker: { reply: replies.talksTooSoon, reason: 'early talker', ending: 'early_talker' },
  draining: { reply: replies.shuttingDown, reason: 'draining', ending: 'drain' },
  drainTimeout: { reply: replies.shuttingDown, reason: 'drain timeout', ending: 'drain' },
  noise: (kind: Misdirected): Abort => ({ reply: noise[kind], reason: kind, ending: 'noise' }),
  banned: (ban: string): Abort => ({ reply: replies.banned, reason: `banned: ${ban}`, ending: 'ban' }),
  late: ({ reason, limit }: LostPatience): Abort => ({ reply: replies.timeout, reason, ending: 'refused', limit }),
  /** What the base says by itself. */
  ofBase: (code: number, text: Reply['text']): Abort => ({
    reply: { ...replies.timeout, code, text },
    reason: 'server',
    ending: 'noise',
  }),
} as const;

export const lastReply = (reply: Reply): Reply =>
  reply.code === 421 ? reply : { ...reply, code: 421, ...(reply.enhanced === undefined ? {} : { enhanced: '4.7.0' }) };
