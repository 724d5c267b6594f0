/** What the load sends: an unsigned message, or one with an rsa2048 signature of the sender's domain whose key the bench's DNS publishes. */
import { generateKeyPairSync } from 'node:crypto';
import { systemClock } from '@postern/clock';
import { DkimSigner, readSigningKey } from '@postern/mail-auth';
import { readHeaderSection } from '@postern/mail-message';
import { buildMessage } from '@postern/testkit/smtp';

export interface KeyPair {
  readonly selector: string;
  readonly pem: string;
  /** Value of the TXT record. */
  readonly record: string;
}

export function makeKeyPair(selector: string): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    selector,
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
  };
}

export function signedLetter(domain: string, to: string, size: number, key: KeyPair): Buffer {
  const bytes = buildMessage({ from: `load@${domain}`, to, size });
  const { fields, bodyOffset } = readHeaderSection(bytes);
  const signer = new DkimSigner(fields, { keys: [readSigningKey(domain, key.selector, key.pem)], clock: systemClock });
  signer.update(bytes.subarray(bodyOffset));
  return Buffer.concat([Buffer.from(signer.finish().join(''), 'latin1'), bytes]);
}
