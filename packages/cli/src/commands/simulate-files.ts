/** Files posternctl simulate is given: a message, settings of checks, a client's certificate. One that cannot be read is told in a line. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PlainError } from '../usage-error.js';

const largestMessage = 50 * 1024 * 1024;

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'latin1');
  } catch (error) {
    throw new PlainError(
      `${file} cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`,
    );
  }
}

/** Lines of files end in LF; on the wire they end in CRLF. */
export function readMessage(file: string): Buffer {
  const content = readText(file);
  if (content.length > largestMessage) throw new PlainError(`message ${file} is larger than 50 MiB`);
  return Buffer.from(content.replaceAll(/\r?\n/g, '\r\n'), 'latin1');
}

export function readSettingsFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`settings file ${file} cannot be read (${reason})`);
  }
}

/** What the edge tells of a certificate; who signed it is not looked at. */
export function readCertificate(file: string) {
  const content = readText(file);
  try {
    const { subject, issuer, fingerprint256, subjectAltName = '' } = new X509Certificate(content);
    return {
      verified: true,
      subject: subject.replaceAll('\n', ', '),
      issuer: issuer.replaceAll('\n', ', '),
      fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
      names: [...subjectAltName.matchAll(/(?:DNS|email):([^,\s"]+)/g)].map(([, name = '']) => name.toLowerCase()),
    };
  } catch {
    throw new PlainError(`${file} holds no certificate; expected one in PEM`);
  }
}
