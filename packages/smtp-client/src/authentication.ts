/** AUTH towards a smarthost: PLAIN (RFC 4616) or LOGIN. The transcript sees the mechanism, never the secret. */
import { type ConnectionFailure, failureOf, refusedBy, unmet } from './failure.js';
import type { Credentials } from './options.js';
import type { Transcript } from './transcript.js';
import type { Wire } from './wire.js';

export interface AuthenticationFacts {
  readonly wire: Wire;
  readonly credentials: Credentials;
  readonly offered: readonly string[];
  readonly secured: boolean;
  readonly timeoutMs: number;
  readonly transcript: Transcript;
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** Null = authenticated. Refused credentials are a fault of our configuration: always temporary for the mail. */
export async function authenticate(facts: AuthenticationFacts): Promise<ConnectionFailure | null> {
  const { wire, credentials, offered, transcript } = facts;
  if (!facts.secured && credentials.allowPlaintext !== true) {
    return unmet('auth', 'notOffered', 'will not send a password without TLS');
  }
  const plain = offered.includes('PLAIN');
  if (!plain && !offered.includes('LOGIN')) return unmet('auth', 'notOffered', 'neither AUTH PLAIN nor LOGIN offered');
  const mechanism = plain ? 'PLAIN' : 'LOGIN';
  const steps = plain
    ? [`AUTH PLAIN ${base64(`\0${credentials.username}\0${credentials.password}`)}`]
    : ['AUTH LOGIN', base64(credentials.username), base64(credentials.password)];
  transcript.add('client', `AUTH ${mechanism} (secret)`);
  for (const [index, step] of steps.entries()) {
    wire.write(`${step}\r\n`);
    const answer = await wire.nextReply(facts.timeoutMs);
    if (!answer.ok) return failureOf('auth', answer.fault);
    const expected = index === steps.length - 1 ? 235 : 334;
    if (answer.reply.code !== expected) return refusedBy('auth', answer.reply, true);
  }
  return null;
}
