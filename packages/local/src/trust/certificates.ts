/**
 * The certificates of a local cluster: one authority of its own, one server certificate for its listeners. Kept between
 * runs; the server certificate is renewed when fewer than 30 days are left. Only this machine trusts the authority,
 * and only where somebody names its file.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../supervisor/atomic-file.js';
import { makeCertificate } from './x509.js';

export interface CertificateFiles {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

const authorityName = 'Postern local authority';
const renewBeforeMs = 30 * 86_400_000;

async function stillValid(file: string, now: Date): Promise<boolean> {
  try {
    const certificate = new X509Certificate(await readFile(file));
    return Date.parse(certificate.validTo) - now.getTime() > renewBeforeMs;
  } catch {
    return false;
  }
}

/** Make what is missing or about to expire in `dir` and return the paths. */
export async function ensureCertificates(dir: string, names: readonly string[], now: Date): Promise<CertificateFiles> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const caFile = join(dir, 'ca.crt');
  const caKeyFile = join(dir, 'ca.key');
  const certificateFile = join(dir, 'server.crt');
  const keyFile = join(dir, 'server.key');
  const files = { caFile, certificateFile, keyFile };
  if (!(await stillValid(caFile, now))) {
    const authority = makeCertificate({ subject: authorityName, days: 3650, now });
    await writeFileAtomic(caKeyFile, authority.keyPem, 0o600);
    await writeFileAtomic(caFile, authority.certificatePem, 0o644);
  } else if (await stillValid(certificateFile, now)) {
    return files;
  }
  const issuerKey = createPrivateKey(await readFile(caKeyFile));
  const machine = /^[A-Za-z0-9.-]+$/.test(hostname()) ? [hostname()] : [];
  const server = makeCertificate({
    subject: names[0] ?? 'localhost',
    days: 397,
    now,
    server: {
      issuer: authorityName,
      issuerKey,
      names: [...new Set([...names, 'localhost', ...machine, '127.0.0.1', '::1'])],
    },
  });
  await writeFileAtomic(keyFile, server.keyPem, 0o600);
  await writeFileAtomic(certificateFile, server.certificatePem, 0o644);
  return files;
}
