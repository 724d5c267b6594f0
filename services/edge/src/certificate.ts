/**
 * The certificate files of the listeners: read at start, looked at again every few seconds, used for new handshakes when they changed. Files
 * that do not fit together are not used: the old ones stay.
 */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from '@postern/clock';
import type { ServerTls } from './smtp/server.js';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const lookEveryMs = 10_000;

/** Throws one line that names the files where one cannot be read or they do not fit together. */
export async function readCertificate({ certFile, keyFile }: CertificateFiles): Promise<ServerTls> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`edge.tls: cannot use ${certFile} with ${keyFile}: ${reason}`);
  }
}

export interface CertificateWatch {
  onChanged(tls: ServerTls): void;
  onRefused(reason: string): void;
}

export function watchCertificate(
  files: CertificateFiles,
  first: ServerTls,
  clock: Clock,
  watch: CertificateWatch,
): Timer {
  let current = first;
  let refused = '';
  const look = async (): Promise<void> => {
    try {
      const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
      if (cert.equals(current.cert) && key.equals(current.key)) return;
      createSecureContext({ cert, key });
      current = { cert, key };
      refused = '';
      watch.onChanged(current);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== refused) watch.onRefused(reason);
      refused = reason;
    }
  };
  return clock.setInterval(lookEveryMs, () => void look(), { unref: true });
}
