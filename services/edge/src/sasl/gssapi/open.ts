/** The acceptor of this pod, as far as it can be had: without library, koffi, keytab or a folder for the replay cache there is none, and GSSAPI is not offered. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { KerberosAcceptor } from './acceptor.js';
import { type AcceptorOptions, createAcceptor } from './acceptor.js';
import { openLibrary } from './library.js';

export type Opened =
  | { readonly kind: 'open'; readonly acceptor: KerberosAcceptor }
  | { readonly kind: 'absent'; readonly reason: string };

export interface KerberosSettings extends Omit<AcceptorOptions, 'library' | 'store'> {
  readonly keytab: string;
  /** A folder this process may write to; undefined = where the library chooses. */
  readonly replayCacheDirectory: string | undefined;
  /** Name or path of libgssapi_krb5. */
  readonly libraryFile: string;
}

/** One for all processes of the pod: the library locks it. */
const replayCacheName = 'postern-gssapi.rcache2';

async function replayCacheIn(directory: string | undefined): Promise<string | undefined> {
  if (directory === undefined) return undefined;
  await access(directory, constants.W_OK | constants.X_OK);
  return join(directory, replayCacheName);
}

export async function openKerberos(settings: KerberosSettings): Promise<Opened> {
  const { keytab, replayCacheDirectory, libraryFile } = settings;
  const absent = (what: string, error: unknown): Opened => ({
    kind: 'absent',
    reason: `${what}: ${error instanceof Error ? error.message : String(error)}`,
  });
  let replayCache: string | undefined;
  try {
    replayCache = await replayCacheIn(replayCacheDirectory);
  } catch (error) {
    return absent('edge.gssapi.replayCacheDirectory', error);
  }
  try {
    const library = await openLibrary(libraryFile);
    return { kind: 'open', acceptor: createAcceptor({ ...settings, library, store: { keytab, replayCache } }) };
  } catch (error) {
    return absent(libraryFile, error);
  }
}
