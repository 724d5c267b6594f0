/**
 * Is this file a keytab? It begins with 5 and the version of its format, 1 or 2 (MIT krb5, doc/formats/keytab_file_format). What keys it holds is the Kerberos
 * library's to judge. A file that is not there yet is no fault: the mechanism is not offered until it is.
 */
import { closeSync, openSync, readSync } from 'node:fs';

export function keytabFault(file: string): string | undefined {
  const head = Buffer.alloc(2);
  let length: number;
  try {
    const handle = openSync(file, 'r');
    try {
      length = readSync(handle, head, 0, head.length, 0);
    } finally {
      closeSync(handle);
    }
  } catch {
    return undefined;
  }
  const [first, version = 0] = head;
  if (length === head.length && first === 5 && (version === 1 || version === 2)) return undefined;
  return `${JSON.stringify(file)} is no keytab; expected one as ktutil or kadmin writes it`;
}
