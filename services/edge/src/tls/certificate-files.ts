/**
 * The certificates of this pod: named pairs of files, the first the one used without SNI, and the file the ticket keys come from. Read at start,
 * looked at again every few seconds (mounted secrets change by a swapped link, which file events miss), used for new handshakes when they changed;
 * no session is touched. Files that do not fit together are not used: the old ones stay.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from '@postern/clock';

export interface CertificateFiles {
  readonly name: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Certificate {
  readonly name: string;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Names it is good for, lower case; `*.example.net` stands for one label. */
  readonly names: readonly string[];
  /** Milliseconds since 1970 after which no client takes it. */
  readonly expiresAtMs: number;
}

/** Everything of TLS that is a file. */
export interface TlsMaterial {
  readonly certificates: readonly Certificate[];
  /** What ticket keys are derived from; undefined = every process has its own. */
  readonly ticketSeed: Buffer | undefined;
}

const lookEveryMs = 10_000;
/** Octets of the file ticket keys come from. */
export const shortestSeed = 32;

/** DNS names of a certificate: its alternative names, else its common name (RFC 6125 §6.4.4). */
export function namesOf(pem: Buffer): string[] {
  const { subjectAltName, subject } = new X509Certificate(pem);
  const alternative = [...(subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map(([, name = '']) => name);
  const common = /^CN=(\S+)$/m.exec(subject)?.[1];
  const names = alternative.length === 0 && common !== undefined ? [common] : alternative;
  return names.map((name) => name.toLowerCase());
}

/** Throws one line that names the files where one cannot be read or they do not fit together. */
export async function readCertificate({ name, certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { name, cert, key, names: namesOf(cert), expiresAtMs: Date.parse(new X509Certificate(cert).validTo) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const field = name === 'default' ? 'edge.tls.certFile' : `edge.certificates (${name})`;
    throw new Error(`${field}: cannot use ${certFile} with ${keyFile}: ${reason}`);
  }
}

async function readSeed(file: string): Promise<Buffer> {
  const seed = await readFile(file);
  if (seed.length >= shortestSeed) return seed;
  throw new Error(
    `edge.ticketKeyFile: ${file} holds ${seed.length} bytes; expected at least ${shortestSeed} random ones`,
  );
}

export async function readTlsMaterial(
  files: readonly CertificateFiles[],
  ticketKeyFile: string | undefined,
): Promise<TlsMaterial> {
  return {
    certificates: await Promise.all(files.map(readCertificate)),
    ticketSeed: ticketKeyFile === undefined ? undefined : await readSeed(ticketKeyFile),
  };
}

/** What is not as it was before. */
export interface MaterialChange {
  readonly certificates: readonly Certificate[];
  readonly isTicketSeed: boolean;
}

function changeOf(fresh: TlsMaterial, before: TlsMaterial): MaterialChange | undefined {
  const differ = (a: Buffer | undefined, b: Buffer | undefined): boolean =>
    a === undefined || b === undefined ? a !== b : !a.equals(b);
  const certificates = fresh.certificates.filter(({ cert, key }, index) => {
    const was = before.certificates[index];
    return differ(cert, was?.cert) || differ(key, was?.key);
  });
  const isTicketSeed = differ(fresh.ticketSeed, before.ticketSeed);
  return isTicketSeed || certificates.length > 0 ? { certificates, isTicketSeed } : undefined;
}

export interface MaterialWatch {
  onChanged(material: TlsMaterial, change: MaterialChange): void;
  onRefused(reason: string): void;
  /** The files are read again after a refusal, and are as those in use or took their place. */
  onRecovered(): void;
}

export function watchTlsMaterial(
  read: () => Promise<TlsMaterial>,
  first: TlsMaterial,
  clock: Clock,
  watch: MaterialWatch,
): Timer {
  let current = first;
  let refused = '';
  const look = async (): Promise<void> => {
    try {
      const fresh = await read();
      if (refused !== '') watch.onRecovered();
      refused = '';
      const change = changeOf(fresh, current);
      if (change === undefined) return;
      current = fresh;
      watch.onChanged(current, change);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== refused) watch.onRefused(reason);
      refused = reason;
    }
  };
  return clock.setInterval(lookEveryMs, () => void look(), { unref: true });
}
