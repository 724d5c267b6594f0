/**
 * One SPF record from text to terms. A syntax error anywhere makes the whole record void (permerror), found
 * before anything is evaluated. RFC 7208 §4.5, §4.6.1, §12.
 */
import { type IpAddress, parseAddress } from '../address-range.js';
import { type MacroString, parseDomainSpec, parseMacroString } from './macro.js';

export type Qualifier = '+' | '-' | '~' | '?';

export type Mechanism =
  | { readonly kind: 'all' }
  | { readonly kind: 'include' | 'exists'; readonly domain: MacroString }
  | {
      readonly kind: 'a' | 'mx';
      readonly domain: MacroString | undefined;
      readonly prefix4: number;
      readonly prefix6: number;
    }
  | { readonly kind: 'ptr'; readonly domain: MacroString | undefined }
  | { readonly kind: 'ip4' | 'ip6'; readonly network: IpAddress; readonly prefix: number };

export interface Directive {
  readonly qualifier: Qualifier;
  readonly mechanism: Mechanism;
  /** As written. */
  readonly text: string;
}

export interface SpfRecord {
  readonly directives: readonly Directive[];
  readonly redirect: MacroString | undefined;
  readonly explanation: MacroString | undefined;
}

export type ParsedRecord =
  | { readonly kind: 'record'; readonly record: SpfRecord }
  | { readonly kind: 'syntax'; readonly term: string };

export function isSpfRecord(text: string): boolean {
  return /^v=spf1(?: |$)/i.test(text);
}

const MODIFIER = /^([a-z][a-z0-9\-_.]*)=(.*)$/is;
const DIRECTIVE = /^([+\-~?]?)([a-z][a-z0-9]*)(.*)$/is;
const DUAL_PREFIX = /(?:\/(0|[1-9]\d?))?(?:\/\/(0|[1-9]\d{0,2}))?$/;

export function parseSpfRecord(text: string): ParsedRecord {
  const directives: Directive[] = [];
  const modifiers = new Map<string, MacroString>();
  for (const term of text.slice('v=spf1'.length).split(' ')) {
    if (term === '') continue;
    const modifier = MODIFIER.exec(term);
    if (modifier !== null) {
      const name = (modifier[1] ?? '').toLowerCase();
      const known = name === 'redirect' || name === 'exp';
      const value = known ? parseDomainSpec(modifier[2] ?? '') : parseMacroString(modifier[2] ?? '', 'modifier');
      if (value === undefined || (known && modifiers.has(name))) return { kind: 'syntax', term };
      if (known) modifiers.set(name, value);
      continue;
    }
    const directive = parseDirective(term);
    if (directive === undefined) return { kind: 'syntax', term };
    directives.push(directive);
  }
  const record = { directives, redirect: modifiers.get('redirect'), explanation: modifiers.get('exp') };
  return { kind: 'record', record };
}

function parseDirective(term: string): Directive | undefined {
  const match = DIRECTIVE.exec(term);
  if (match === null) return undefined;
  const mechanism = parseMechanism((match[2] ?? '').toLowerCase(), match[3] ?? '');
  return mechanism && { qualifier: qualifierOf(match[1]), mechanism, text: term };
}

function qualifierOf(char: string | undefined): Qualifier {
  return char === '-' || char === '~' || char === '?' ? char : '+';
}

function parseMechanism(name: string, rest: string): Mechanism | undefined {
  switch (name) {
    case 'all':
      return rest === '' ? { kind: 'all' } : undefined;
    case 'include':
    case 'exists': {
      const domain = rest.startsWith(':') ? parseDomainSpec(rest.slice(1)) : undefined;
      return domain && { kind: name, domain };
    }
    case 'a':
    case 'mx': {
      const prefixes = DUAL_PREFIX.exec(rest);
      const prefix4 = Number(prefixes?.[1] ?? 32);
      const prefix6 = Number(prefixes?.[2] ?? 128);
      const target = rest.slice(0, prefixes?.index);
      if (prefix4 > 32 || prefix6 > 128) return undefined;
      if (target === '') return { kind: name, domain: undefined, prefix4, prefix6 };
      const domain = target.startsWith(':') ? parseDomainSpec(target.slice(1)) : undefined;
      return domain && { kind: name, domain, prefix4, prefix6 };
    }
    case 'ptr': {
      if (rest === '') return { kind: 'ptr', domain: undefined };
      const domain = rest.startsWith(':') ? parseDomainSpec(rest.slice(1)) : undefined;
      return domain && { kind: 'ptr', domain };
    }
    case 'ip4':
    case 'ip6':
      return parseNetwork(name, rest);
    default:
      return undefined;
  }
}

function parseNetwork(kind: 'ip4' | 'ip6', rest: string): Mechanism | undefined {
  const match = /^:([0-9a-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(rest);
  const network = parseAddress(match?.[1] ?? '');
  const longest = kind === 'ip4' ? 32 : 128;
  const prefix = Number(match?.[2] ?? longest);
  if (network === undefined || network.family !== (kind === 'ip4' ? 4 : 6) || prefix > longest) return undefined;
  return { kind, network, prefix };
}
