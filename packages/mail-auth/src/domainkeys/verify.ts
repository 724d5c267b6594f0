/**
 * Verifies the DomainKeys signature of a message, the forerunner of DKIM: the topmost field of that name, over what stands below it. RFC 4870.
 * It knows rsa-sha1 only, which RFC 8301 has retired: a pass tells what an old sender meant, it never counts for DMARC or as an identity.
 */
import type { Resolver } from '@postern/dns';
import type { HeaderField } from '@postern/mail-message';
import { type BodyDigests, type BodyForm, keyOf, OwnDigests } from '../dkim/body-digests.js';
import { fetchPublicKey, type KeyPolicy, type KeyResult } from '../dkim/public-key.js';
import { isSignatureOf } from './message-hash.js';
import { type Author, authorOf, type DomainKeysSignature, readDomainKeysSignature } from './signature.js';

export interface DomainKeysResult {
  readonly result: 'none' | 'pass' | 'fail' | 'neutral' | 'policy' | 'temperror' | 'permerror';
  readonly domain: string;
  readonly selector: string;
  /** The key says that its domain is only testing (t=y). */
  readonly testing: boolean;
  readonly reason: string | undefined;
}

export interface DomainKeysContext extends KeyPolicy {
  readonly resolver: Resolver;
  /** Hashed by somebody else, who is given the body; absent: here. */
  readonly digests?: BodyDigests;
}

type State =
  | { readonly kind: 'known'; readonly result: DomainKeysResult }
  | {
      readonly kind: 'hashing';
      readonly signature: DomainKeysSignature;
      readonly author: Author;
      readonly key: Promise<KeyResult>;
      readonly form: BodyForm;
    };

const known = (result: DomainKeysResult['result'], reason?: string, domain = '', selector = ''): State => ({
  kind: 'known',
  result: { result, domain, selector, testing: false, reason },
});

export class DomainKeysVerifier {
  readonly #state: State;
  readonly #digests: BodyDigests;

  constructor(fields: readonly HeaderField[], context: DomainKeysContext) {
    this.#digests = context.digests ?? new OwnDigests();
    this.#state = open(fields, context);
    if (this.#state.kind === 'hashing') this.#digests.want(this.#state.form);
  }

  /** False: there is nothing to verify. */
  get needsBody(): boolean {
    return this.#state.kind === 'hashing';
  }

  /** The next octets of the body, the empty line not among them. For digests of its own. */
  update(chunk: Uint8Array): void {
    if (this.#state.kind === 'hashing') this.#digests.update(chunk);
  }

  async finish(): Promise<DomainKeysResult> {
    if (this.#state.kind === 'known') return this.#state.result;
    const { signature, author, key, form } = this.#state;
    const digest = (await this.#digests.finish()).get(keyOf(form));
    const { domain, selector } = signature;
    const found = await key;
    if (found.kind === 'none') return { result: found.result, domain, selector, testing: false, reason: found.reason };
    const { testing } = found;
    const said = { domain, selector, testing };
    // RFC 4870 §3.2.3: a key with g= is for that local part alone.
    if (found.granularity !== '' && found.granularity !== author.localPart)
      return { ...said, result: 'fail', reason: 'key is for another local part' };
    if (digest === undefined) return { ...said, result: 'temperror', reason: 'body could not be hashed' };
    if (isSignatureOf(digest.octets, found.key, signature.signature))
      return { ...said, result: 'pass', reason: undefined };
    return { ...said, result: 'fail', reason: 'signature does not match' };
  }
}

function open(fields: readonly HeaderField[], context: DomainKeysContext): State {
  const at = fields.findIndex(({ key }) => key === 'domainkey-signature');
  const field = fields[at];
  if (field === undefined) return known('none');
  const signature = readDomainKeysSignature(field);
  if (typeof signature === 'string') return known('neutral', `malformed: ${signature}`);
  const { domain, selector, form, headerNames } = signature;
  const author = authorOf(fields);
  if (author === undefined) return known('permerror', 'no readable Sender or From', domain, selector);
  if (author.domain !== domain && !author.domain.endsWith(`.${domain}`))
    return known('neutral', `d= is not the domain of ${author.field}`, domain, selector);
  const covered = fields.slice(at + 1).filter(({ key }) => headerNames === undefined || headerNames.has(key));
  if (!covered.some(({ key }) => key === author.field))
    return known('neutral', `${author.field} is not signed`, domain, selector);
  const header = covered.map((one) => canonicalHeader(one.raw.toString('latin1'), form)).join('');
  const key = fetchPublicKey(context.resolver, { domain, selector, algorithm: 'rsa-sha256' }, context);
  return { kind: 'hashing', signature, author, key, form: { form: 'domainkeys', body: form, header } };
}

function canonicalHeader(raw: string, form: DomainKeysSignature['form']): string {
  return form === 'simple' ? `${raw.replace(/\r?\n$/, '')}\r\n` : `${raw.replace(/[ \t\r\n]+/g, '')}\r\n`;
}
