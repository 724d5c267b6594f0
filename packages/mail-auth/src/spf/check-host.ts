/**
 * SPF: may this client send for this domain? check_host() of RFC 7208 §4 whole: macros, include, redirect, exp,
 * the limits of §4.6.4 (10 terms that look up, 2 void lookups, 10 MX, 10 PTR). DNS trouble is temperror, never a
 * fail. Does not decide what follows from the result.
 */
import type { Clock } from '@postern/clock';
import { type DnsResult, isAbsent, isTemporary, normaliseName, type Resolver } from '@postern/dns';
import { dottedAddress, type IpAddress, inNetwork, parseAddress } from '../address-range.js';
import { expandMacros, fitDomain, type MacroLetter, type MacroString, parseMacroString, usesMacro } from './macro.js';
import { type Directive, isSpfRecord, parseSpfRecord, type SpfRecord } from './record.js';
import type { SpfOutcome } from './result.js';

const MAX_LOOKUPS = 10;
const MAX_VOID = 2;
const MAX_MX = 10;
const MAX_PTR = 10;
const MAX_EXPLANATION = 400;

export interface Session {
  readonly client: IpAddress;
  readonly localPart: string;
  readonly senderDomain: string;
  readonly helo: string;
  readonly receiver: string;
  readonly resolver: Resolver;
  readonly clock: Clock;
}

export interface Conclusion {
  readonly result: SpfOutcome;
  readonly mechanism?: string | undefined;
  readonly problem?: string | undefined;
  readonly explanation?: string | undefined;
}

type Match =
  | { readonly kind: 'match' | 'no-match' }
  | { readonly kind: 'error'; readonly result: 'temperror' | 'permerror'; readonly problem: string };

const match: Match = { kind: 'match' };
const noMatch: Match = { kind: 'no-match' };
const temporary = (problem: string): Match => ({ kind: 'error', result: 'temperror', problem });
const permanent = (problem: string): Match => ({ kind: 'error', result: 'permerror', problem });

const outcomes = { '+': 'pass', '-': 'fail', '~': 'softfail', '?': 'neutral' } as const;

export class HostCheck {
  readonly #session: Session;
  #lookups = 0;
  #voids = 0;
  #validated: Promise<readonly string[]> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  get lookups(): number {
    return this.#lookups;
  }

  /** `explain`: false inside an include, whose explanation is never used (RFC 7208 §6.2). */
  async run(domain: string, explain: boolean): Promise<Conclusion> {
    const found = await this.#session.resolver.txt(domain);
    if (isTemporary(found)) return { result: 'temperror', problem: `${found.kind} for TXT ${domain}` };
    if (found.kind !== 'answer') return { result: 'none' };
    const [text, ...more] = found.values.filter(isSpfRecord);
    if (text === undefined) return { result: 'none' };
    if (more.length > 0) return { result: 'permerror', problem: `several SPF records at ${domain}` };
    const parsed = parseSpfRecord(text);
    if (parsed.kind === 'syntax') return { result: 'permerror', problem: `syntax: ${printable(parsed.term)}` };
    return this.#evaluate(parsed.record, domain, explain);
  }

  async #evaluate(record: SpfRecord, domain: string, explain: boolean): Promise<Conclusion> {
    for (const directive of record.directives) {
      const outcome = await this.#matches(directive, domain);
      if (outcome.kind === 'error') {
        return { result: outcome.result, problem: outcome.problem, mechanism: directive.text };
      }
      if (outcome.kind === 'no-match') continue;
      const result = outcomes[directive.qualifier];
      const explanation = result === 'fail' && explain ? await this.#explain(record.explanation, domain) : undefined;
      return { result, mechanism: directive.text, explanation };
    }
    if (record.redirect === undefined) return { result: 'neutral', mechanism: 'default' };
    if (++this.#lookups > MAX_LOOKUPS) return { result: 'permerror', problem: 'too many lookups' };
    const target = normaliseName(await this.#expand(record.redirect, domain));
    const redirected: Conclusion = target === undefined ? { result: 'none' } : await this.run(target, explain);
    if (redirected.result !== 'none') return redirected;
    return { result: 'permerror', problem: 'redirect to a domain without SPF record' };
  }

  async #matches({ mechanism }: Directive, domain: string): Promise<Match> {
    const { client } = this.#session;
    if (mechanism.kind === 'all') return match;
    if ('network' in mechanism) {
      return inNetwork(client, mechanism.network, mechanism.prefix) ? match : noMatch;
    }
    if (++this.#lookups > MAX_LOOKUPS) return permanent('too many lookups');
    const target = mechanism.domain === undefined ? domain : await this.#expand(mechanism.domain, domain);
    const name = normaliseName(target);
    if (mechanism.kind === 'include')
      return name === undefined ? permanent('include of no domain') : this.#include(name);
    // A name DNS cannot hold has no records (RFC 7208 §4.3 for the expanded case).
    if (name === undefined) return noMatch;
    if (mechanism.kind === 'ptr') return this.#ptr(name);
    if ('prefix4' in mechanism) {
      const prefix = client.family === 4 ? mechanism.prefix4 : mechanism.prefix6;
      return mechanism.kind === 'a' ? this.#hasAddress(name, prefix) : this.#mx(name, prefix);
    }
    const found = await this.#session.resolver.query(name, 'A');
    if (isTemporary(found)) return temporary(`${found.kind} for A ${name}`);
    return found.kind === 'answer' ? match : this.#void();
  }

  async #include(name: string): Promise<Match> {
    const inner = await this.run(name, false);
    switch (inner.result) {
      case 'pass':
        return match;
      case 'temperror':
        return temporary(inner.problem ?? `include ${name}`);
      case 'permerror':
        return permanent(inner.problem ?? `include ${name}`);
      case 'none':
        return permanent(`include of ${name}, which has no SPF record`);
      default:
        return noMatch;
    }
  }

  async #hasAddress(name: string, prefix: number): Promise<Match> {
    const found = await this.#addresses(name);
    if (isTemporary(found)) return temporary(`${found.kind} for address of ${name}`);
    if (found.kind !== 'answer') return this.#void();
    return this.#covers(found, prefix) ? match : noMatch;
  }

  async #mx(name: string, prefix: number): Promise<Match> {
    const found = await this.#session.resolver.mx(name);
    if (isTemporary(found)) return temporary(`${found.kind} for MX ${name}`);
    if (found.kind !== 'answer') return this.#void();
    if (found.values.length > MAX_MX) return permanent(`more than ${MAX_MX} MX at ${name}`);
    const exchanges = found.values.filter(({ exchange }) => exchange !== '');
    const answers = await Promise.all(exchanges.map(({ exchange }) => this.#addresses(exchange)));
    for (const answer of answers) {
      if (isTemporary(answer)) return temporary(`${answer.kind} for address of an MX of ${name}`);
      if (answer.kind === 'answer') {
        if (this.#covers(answer, prefix)) return match;
      } else if (isAbsent(answer)) {
        const outcome = this.#void();
        if (outcome.kind === 'error') return outcome;
      }
    }
    return noMatch;
  }

  /** RFC 7208 §5.5: trouble with the reverse lookup is no match, not an error. */
  async #ptr(target: string): Promise<Match> {
    for (const name of await this.#validatedNames()) {
      if (name === target || name.endsWith(`.${target}`)) return match;
    }
    return noMatch;
  }

  /** The client's names that point back at it; asked once, for `ptr` and `%{p}` alike. */
  #validatedNames(): Promise<readonly string[]> {
    this.#validated ??= this.#validateNames();
    return this.#validated;
  }

  async #validateNames(): Promise<readonly string[]> {
    const { resolver, client } = this.#session;
    const found = await resolver.ptr(client.text);
    if (found.kind !== 'answer') return [];
    const names = found.values.slice(0, MAX_PTR);
    const answers = await Promise.all(names.map((name) => this.#addresses(name)));
    return names.filter((_, index) => {
      const answer = answers[index];
      return answer?.kind === 'answer' && this.#covers(answer, client.family === 4 ? 32 : 128);
    });
  }

  /** Only the client's own family is asked for (RFC 7208 §5). */
  #addresses(name: string): Promise<DnsResult<'A' | 'AAAA'>> {
    return this.#session.resolver.query(name, this.#session.client.family === 4 ? 'A' : 'AAAA');
  }

  #covers(answer: DnsResult<'A' | 'AAAA'>, prefix: number): boolean {
    if (answer.kind !== 'answer') return false;
    return answer.records.some(({ data }) => {
      const address = parseAddress(data);
      return address !== undefined && inNetwork(this.#session.client, address, prefix);
    });
  }

  #void(): Match {
    return ++this.#voids > MAX_VOID ? permanent('too many void lookups') : noMatch;
  }

  async #expand(spec: MacroString, domain: string): Promise<string> {
    return fitDomain(await this.#expandText(spec, domain));
  }

  async #expandText(spec: MacroString, domain: string): Promise<string> {
    const validated = usesMacro(spec, 'p') ? bestName(await this.#validatedNames(), domain) : 'unknown';
    const { client, localPart, senderDomain, helo, receiver, clock } = this.#session;
    return expandMacros(spec, (letter: MacroLetter): string => {
      switch (letter) {
        case 's':
          return `${localPart}@${senderDomain}`;
        case 'l':
          return localPart;
        case 'o':
          return senderDomain;
        case 'd':
          return domain;
        case 'i':
          return dottedAddress(client);
        case 'p':
          return validated;
        case 'v':
          return client.family === 4 ? 'in-addr' : 'ip6';
        case 'h':
          return helo;
        case 'c':
          return client.text;
        case 'r':
          return receiver;
        case 't':
          return String(Math.floor(clock.now() / 1000));
      }
    });
  }

  /** Any trouble here means no explanation, never another result (RFC 7208 §6.2). */
  async #explain(spec: MacroString | undefined, domain: string): Promise<string | undefined> {
    if (spec === undefined) return undefined;
    const name = normaliseName(await this.#expand(spec, domain));
    if (name === undefined) return undefined;
    const found = await this.#session.resolver.txt(name);
    if (found.kind !== 'answer' || found.values.length !== 1) return undefined;
    const text = parseMacroString(found.values[0] ?? '', 'explanation');
    if (text === undefined) return undefined;
    const explanation = await this.#expandText(text, domain);
    return explanation === '' ? undefined : printable(explanation);
  }
}

/** RFC 7208 §7.3: the domain itself, else one below it, else any. */
function bestName(names: readonly string[], domain: string): string {
  return (
    names.find((name) => name === domain) ?? names.find((name) => name.endsWith(`.${domain}`)) ?? names[0] ?? 'unknown'
  );
}

/** Outside text on its way to a reply or a log: ASCII without controls, cut to a line. */
function printable(text: string): string {
  return text.slice(0, MAX_EXPLANATION).replace(/[^\x20-\x7e]/g, '?');
}
