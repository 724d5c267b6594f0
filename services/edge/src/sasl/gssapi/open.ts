/** The acceptor of this pod, as far as it can be had: without library, koffi or keytab there is none, and GSSAPI is not offered. */
import type { KerberosAcceptor } from './acceptor.js';
import { type AcceptorOptions, createAcceptor } from './acceptor.js';
import { openLibrary } from './library.js';

export type Opened =
  | { readonly kind: 'open'; readonly acceptor: KerberosAcceptor }
  | { readonly kind: 'absent'; readonly reason: string };

export interface KerberosSettings extends Omit<AcceptorOptions, 'library'> {
  /** Name or path of libgssapi_krb5. */
  readonly libraryFile: string;
}

export async function openKerberos(settings: KerberosSettings): Promise<Opened> {
  try {
    const library = await openLibrary(settings.libraryFile);
    return { kind: 'open', acceptor: createAcceptor({ ...settings, library }) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'absent', reason: `${settings.libraryFile}: ${reason}` };
  }
}
