/** One DomainKey-Signature field read, and whose message it speaks for. RFC 4870 §3.3, §3.2.3. Nothing is verified here. */
import { normaliseName } from '@postern/dns';
import { fieldsNamed, type HeaderField, parseAddressList } from '@postern/mail-message';
import { decodeBase64, parseTagList, splitColons } from '../dkim/tag-list.js';
import type { DomainKeysForm } from './canonical-body.js';

export interface DomainKeysSignature {
  readonly domain: string;
  readonly selector: string;
  readonly form: DomainKeysForm;
  /** Lower case; undefined = every field below the signature. */
  readonly headerNames: ReadonlySet<string> | undefined;
  readonly signature: Buffer;
}

export interface Author {
  /** The field it is taken from. */
  readonly field: 'sender' | 'from';
  readonly localPart: string;
  readonly domain: string;
}

const hostName = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** The signature, or what is wrong with it. */
export function readDomainKeysSignature(field: HeaderField): DomainKeysSignature | string {
  const text = field.raw.toString('latin1');
  const tags = parseTagList(text.slice(text.indexOf(':') + 1));
  if (tags === undefined) return 'tag list';
  if ((tags.get('a') ?? 'rsa-sha1') !== 'rsa-sha1') return 'a=';
  if ((tags.get('q') ?? 'dns') !== 'dns') return 'q=';
  const form = tags.get('c');
  if (form !== 'simple' && form !== 'nofws') return 'c=';
  const domain = normaliseName(tags.get('d') ?? '');
  if (domain === undefined || !hostName.test(domain)) return 'd=';
  const selector = normaliseName(tags.get('s') ?? '');
  if (selector === undefined || !hostName.test(selector)) return 's=';
  const signature = decodeBase64(tags.get('b') ?? '');
  if (signature === undefined) return 'b=';
  const names = tags.get('h');
  const headerNames = names === undefined ? undefined : new Set(splitColons(names.toLowerCase(), 1_000));
  return { domain, selector, form, headerNames, signature };
}

/** The first address of Sender, else of From. */
export function authorOf(fields: readonly HeaderField[]): Author | undefined {
  for (const field of ['sender', 'from'] as const) {
    const [first] = fieldsNamed(fields, field);
    if (first === undefined) continue;
    const [mailbox] = parseAddressList(first.value, { maxMailboxes: 1 }).mailboxes;
    const domain = mailbox === undefined ? undefined : normaliseName(mailbox.domain);
    return mailbox === undefined || domain === undefined ? undefined : { field, localPart: mailbox.localPart, domain };
  }
  return undefined;
}
