/**
 * Files an operator document names (passwords, keys): each must be readable by us and hold what it is named for when the document is taken,
 * so that a wrong path or a wrong file is said by field. What they hold never reaches a message.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Fault, FieldPath } from '@postern/config';
import { createLocalJWKSet } from 'jose';
import type { OperatorDocument } from './schema.js';

interface NamedFile {
  readonly path: FieldPath;
  readonly file: string | undefined;
  readonly holds: 'password' | 'login' | 'key' | 'certificates' | 'dh' | 'jwks';
}

const largestFile = 65_536;
/** Bits of the prime. */
const shortestDh = 2_048;
const shortestPassword = 8;
const longestPassword = 1_024;

function* filesOf(document: OperatorDocument): Generator<NamedFile> {
  for (const [name, { hosts }] of Object.entries(document.nextHops)) {
    for (const [index, { passwordFile }] of hosts.entries())
      yield { path: ['nextHops', name, 'hosts', index, 'passwordFile'], file: passwordFile, holds: 'login' };
  }
  for (const [name, { tls }] of Object.entries(document.listeners)) {
    yield { path: ['listeners', name, 'tls', 'clientCaFile'], file: tls.clientCaFile, holds: 'certificates' };
    yield { path: ['listeners', name, 'tls', 'dhParametersFile'], file: tls.dhParametersFile, holds: 'dh' };
  }
  for (const [index, { jwksFile }] of document.oauthIssuers.entries())
    yield { path: ['oauthIssuers', index, 'jwksFile'], file: jwksFile, holds: 'jwks' };
  for (const [number, tenant] of document.tenants.entries()) {
    const at = ['tenants', number];
    for (const [index, { passwordFile }] of tenant.users.entries())
      yield { path: [...at, 'users', index, 'passwordFile'], file: passwordFile, holds: 'password' };
    for (const [index, domain] of tenant.domains.entries())
      for (const [key, { keyFile }] of domain.dkim.entries())
        yield { path: [...at, 'domains', index, 'dkim', key, 'keyFile'], file: keyFile, holds: 'key' };
    for (const [index, route] of tenant.routes.entries())
      for (const [hop, { passwordFile }] of route.hosts.entries())
        yield { path: [...at, 'routes', index, 'hosts', hop, 'passwordFile'], file: passwordFile, holds: 'login' };
  }
}

/** What is wrong with the file, completing its name; undefined when nothing is. */
function wrongWith(file: string, holds: NamedFile['holds']): string | undefined {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return `cannot be read (${reason}); expected a readable file`;
  }
  if (content.length === 0 || content.length > largestFile)
    return `holds ${content.length} bytes; expected 1 to ${largestFile}`;
  if (holds === 'key')
    return works(() => createPrivateKey(content)) ? undefined : 'holds no private key; expected one in PEM';
  if (holds === 'certificates')
    return works(() => new X509Certificate(content)) ? undefined : 'holds no certificate; expected PEM';
  if (holds === 'jwks')
    return works(() => createLocalJWKSet(JSON.parse(content.toString('utf8'))))
      ? undefined
      : 'holds no JSON Web Key Set; expected {"keys": [...]}';
  if (holds === 'dh')
    return dhBits(content) >= shortestDh && works(() => createSecureContext({ dhparam: content }))
      ? undefined
      : 'cannot be used; expected DH parameters of at least 2,048 bits in PEM';
  const { length } = content.toString('utf8').replace(/\r?\n$/, '');
  if (holds === 'login') return length > 0 ? undefined : 'holds only a line end; expected a password';
  return length >= shortestPassword && length <= longestPassword
    ? undefined
    : `holds ${length} character${length === 1 ? '' : 's'}; expected a password of ${shortestPassword} to 1,024 characters`;
}

/** Bits of the prime of DH parameters (PKCS #3, or X9.42 as `openssl dhparam -dsaparam` writes them); 0 = there are none. OpenSSL passes over what it cannot read. */
function dhBits(pem: Buffer): number {
  const block = /-----BEGIN (X9\.42 )?DH PARAMETERS-----([A-Za-z0-9+/=\s]+)-----END \1?DH PARAMETERS-----/;
  const der = Buffer.from(block.exec(pem.toString('latin1'))?.[2] ?? '', 'base64');
  const sequence = derContent(der, 0x30);
  const prime = sequence === undefined ? undefined : derContent(sequence, 0x02);
  return prime === undefined ? 0 : BigInt(`0x0${prime.toString('hex')}`).toString(2).length;
}

/** What the first element holds; undefined = it is no whole element of that kind. */
function derContent(der: Buffer, tag: number): Buffer | undefined {
  const [kind, first = 0] = der;
  const more = first < 0x80 ? 0 : first - 0x80;
  if (kind !== tag || more > 2 || der.length < 2 + more) return undefined;
  const length = more === 0 ? first : der.readUIntBE(2, more);
  const content = der.subarray(2 + more, 2 + more + length);
  return content.length === length ? content : undefined;
}

function works(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
}

/** Their names, those that are named twice once. */
export function filesNamedBy(document: OperatorDocument): string[] {
  const names = [...filesOf(document)].map(({ file }) => file).filter((file) => file !== undefined);
  return [...new Set(names)];
}

export function fileProblems(document: OperatorDocument): Fault[] {
  const problems: Fault[] = [];
  for (const { path, file, holds } of filesOf(document)) {
    const wrong = file === undefined ? undefined : wrongWith(file, holds);
    if (wrong !== undefined) problems.push({ path, message: `${JSON.stringify(file)} ${wrong}` });
  }
  return problems;
}
