/**
 * The ARC sets of a message: found, counted and read, before any key is fetched. RFC 8617 §4.1, §5.2 steps 1 to 3.
 * A set has one field of each of three kinds; instances run from 1 without a gap; at most fifty.
 */
import { normaliseName } from '@postern/dns';
import type { HeaderField } from '@postern/mail-message';
import { parseSignature, type Signature, type SignatureAlgorithm } from '../dkim/signature.js';
import { decodeBase64, parseTagList } from '../dkim/tag-list.js';

const MAX_INSTANCES = 50;

export interface Seal {
  readonly algorithm: SignatureAlgorithm;
  readonly domain: string;
  readonly selector: string;
  readonly signature: Buffer;
  readonly validation: 'none' | 'pass' | 'fail';
}

export interface ArcSet {
  readonly instance: number;
  readonly resultsField: HeaderField;
  readonly signatureField: HeaderField;
  readonly sealField: HeaderField;
  readonly seal: Seal;
}

export type ArcChain =
  | { readonly kind: 'none' }
  | { readonly kind: 'broken'; readonly reason: string }
  /** `signature` is the one of the last set, the only one that must hold. */
  | { readonly kind: 'chain'; readonly sets: readonly ArcSet[]; readonly signature: Signature };

interface PartialSet {
  results?: HeaderField;
  signature?: HeaderField;
  seal?: HeaderField;
}

const broken = (reason: string): ArcChain => ({ kind: 'broken', reason });

const parts = {
  'arc-authentication-results': 'results',
  'arc-message-signature': 'signature',
  'arc-seal': 'seal',
} as const;

function partOf(key: string): keyof PartialSet | undefined {
  return key === 'arc-authentication-results' || key === 'arc-message-signature' || key === 'arc-seal'
    ? parts[key]
    : undefined;
}

export function readArcChain(fields: readonly HeaderField[]): ArcChain {
  const found = new Map<number, PartialSet>();
  for (const field of fields) {
    const part = partOf(field.key);
    if (part === undefined) continue;
    const instance = part === 'results' ? resultsInstance(field) : tagInstance(field);
    if (instance === undefined) return broken(`${field.name}: i=`);
    const set = found.get(instance) ?? {};
    if (set[part] !== undefined) return broken(`${field.name} i=${instance} twice`);
    set[part] = field;
    found.set(instance, set);
  }
  if (found.size === 0) return { kind: 'none' };
  const sets: ArcSet[] = [];
  for (let instance = 1; instance <= found.size; instance++) {
    const set = readSet(instance, found.get(instance) ?? {});
    if (typeof set === 'string') return broken(`set ${instance}: ${set}`);
    sets.push(set);
  }
  const last = sets.at(-1);
  if (last === undefined) return { kind: 'none' };
  if (last.seal.validation === 'fail') return broken('the last seal says fail');
  for (const { instance, seal } of sets) {
    if (seal.validation !== (instance === 1 ? 'none' : 'pass')) return broken(`set ${instance}: cv=${seal.validation}`);
  }
  const parsed = parseSignature(last.signatureField, 'arc');
  if (parsed.kind === 'refused') return broken(`set ${last.instance}: ${parsed.reason}`);
  return { kind: 'chain', sets, signature: parsed.signature };
}

function readSet(instance: number, { results, signature, seal }: PartialSet): ArcSet | string {
  if (results === undefined) return 'no ARC-Authentication-Results';
  if (signature === undefined) return 'no ARC-Message-Signature';
  if (seal === undefined) return 'no ARC-Seal';
  const read = readSeal(seal);
  if (typeof read === 'string') return `ARC-Seal ${read}`;
  return { instance, resultsField: results, signatureField: signature, sealField: seal, seal: read };
}

/** RFC 8617 §4.1.1: the instance stands first, with a semicolon behind. */
function resultsInstance(field: HeaderField): number | undefined {
  return readInstance(/^i[ \t]*=[ \t]*(\d+)[ \t]*;/.exec(field.value)?.[1]);
}

function tagInstance(field: HeaderField): number | undefined {
  return readInstance(tagsOf(field)?.get('i'));
}

function readInstance(text: string | undefined): number | undefined {
  if (text === undefined || !/^[1-9]\d?$/.test(text)) return undefined;
  const instance = Number(text);
  return instance <= MAX_INSTANCES ? instance : undefined;
}

function tagsOf(field: HeaderField): ReadonlyMap<string, string> | undefined {
  const text = field.raw.toString('latin1');
  return parseTagList(text.slice(text.indexOf(':') + 1));
}

function readSeal(field: HeaderField): Seal | string {
  const tags = tagsOf(field);
  if (tags === undefined) return 'tag list';
  const algorithm = tags.get('a');
  if (algorithm !== 'rsa-sha256' && algorithm !== 'ed25519-sha256') return 'a=';
  // RFC 8617 §4.1.3: a seal covers what it covers, there is nothing to list.
  if (tags.has('h') || tags.has('bh')) return 'with h= or bh=';
  const domain = normaliseName(tags.get('d') ?? '');
  if (domain === undefined || !/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(domain)) return 'd=';
  const selector = normaliseName(tags.get('s') ?? '');
  if (selector === undefined) return 's=';
  const signature = decodeBase64(tags.get('b') ?? '');
  if (signature === undefined) return 'b=';
  const validation = tags.get('cv');
  if (validation !== 'none' && validation !== 'pass' && validation !== 'fail') return 'cv=';
  if (tags.has('t') && !/^\d{1,15}$/.test(tags.get('t') ?? '')) return 't=';
  return { algorithm, domain, selector, signature, validation };
}
