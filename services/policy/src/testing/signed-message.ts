/** A message with and without a DKIM signature, and the zone that holds its key. */
import { generateKeyPairSync } from 'node:crypto';
import { systemClock } from '@postern/clock';
import type { ZoneData } from '@postern/dns/testing';
import { DkimSigner } from '@postern/mail-auth';
import { readHeaderSection } from '@postern/mail-message';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');

function signed(text: string, domain: string): string {
  const bytes = Buffer.from(text.replaceAll('\n', '\r\n'));
  const section = readHeaderSection(bytes);
  const keys = [{ domain, selector: 's1', privateKey }];
  const signer = new DkimSigner(section.fields, { keys, clock: systemClock });
  signer.update(bytes.subarray(section.bodyOffset));
  return (signer.finish().join('') + bytes.toString()).replaceAll('\r\n', '\n');
}

export const plain = 'From: Ann <a@sender.test>\nSubject: hello\n\nbody\n';
export const signedMessage = signed(plain, 'sender.test');
export const dkimZone: ZoneData = { 's1._domainkey.sender.test': { TXT: [`v=DKIM1; k=ed25519; p=${key}`] } };
