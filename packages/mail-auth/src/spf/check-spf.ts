/**
 * The two identities of a session, MAIL FROM and HELO, each as one SPF check. A null reverse-path is checked as
 * postmaster at the HELO name (RFC 7208 §2.4). A domain that is no domain (one label, an address literal, a
 * label too long) is `none` (§4.3).
 */
import { domainToASCII } from 'node:url';
import type { Clock } from '@postern/clock';
import { normaliseName, type Resolver } from '@postern/dns';
import { parseClientAddress } from '../address-range.js';
import { HostCheck } from './check-host.js';
import type { SpfResult } from './result.js';

export interface SpfQuestion {
  readonly clientAddress: string;
  readonly helo: string;
  /** Without angle brackets; '' for the null reverse-path. Not needed for `checkHelo`. */
  readonly reversePath: string;
  /** Our own name, for `%{r}`. */
  readonly receiver?: string;
}

export interface SpfContext {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Milliseconds for the whole check. Default 20,000 (RFC 7208 §4.6.4). */
  readonly deadlineMs?: number;
}

/** More than any record within the limits can need: 10 terms of 10 MX, the reverse names, the explanation. */
const MAX_QUERIES = 140;

export function checkMailFrom(question: SpfQuestion, context: SpfContext): Promise<SpfResult> {
  if (question.reversePath === '') return checkHelo(question, context);
  const at = question.reversePath.lastIndexOf('@');
  const localPart = at <= 0 ? 'postmaster' : question.reversePath.slice(0, at);
  return check('mailfrom', question.reversePath.slice(at + 1), localPart, question, context);
}

export function checkHelo(question: SpfQuestion, context: SpfContext): Promise<SpfResult> {
  return check('helo', question.helo, 'postmaster', question, context);
}

async function check(
  identity: SpfResult['identity'],
  given: string,
  localPart: string,
  question: SpfQuestion,
  { resolver, clock, deadlineMs = 20_000 }: SpfContext,
): Promise<SpfResult> {
  const domain = checkableDomain(given);
  const client = parseClientAddress(question.clientAddress);
  const nothing = { explanation: undefined, mechanism: undefined, problem: undefined, lookups: 0 };
  if (domain === undefined || client === undefined) return { result: 'none', identity, domain: '', ...nothing };
  const host = new HostCheck({
    client,
    localPart,
    senderDomain: domain,
    helo: question.helo,
    receiver: question.receiver ?? 'unknown',
    resolver: resolver.withBudget({ queries: MAX_QUERIES, deadlineMs }),
    clock,
  });
  const { result, explanation, mechanism, problem } = await host.run(domain, true);
  return { result, identity, domain, explanation, mechanism, problem, lookups: host.lookups };
}

/** The domain `checkMailFrom` speaks about, without asking; '' where there is none. */
export function mailFromDomain({ helo, reversePath }: Pick<SpfQuestion, 'helo' | 'reversePath'>): string {
  const given = reversePath === '' ? helo : reversePath.slice(reversePath.lastIndexOf('@') + 1);
  return checkableDomain(given) ?? '';
}

function checkableDomain(given: string): string | undefined {
  const domain = normaliseName(given) ?? normaliseName(domainToASCII(given));
  return domain === undefined || !domain.includes('.') || domain.startsWith('[') ? undefined : domain;
}
