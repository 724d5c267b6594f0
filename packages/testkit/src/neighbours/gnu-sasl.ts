/**
 * Two clients on GNU SASL, unpacked from Debian: `gsasl`, which speaks SCRAM with channel binding and Kerberos over SMTP, and msmtp. Their libraries are in the
 * tree; the Kerberos library behind them is named by a file of ours, since libgssglue looks into /etc otherwise.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureUnpacked, libraryPath } from './unpacked.js';

export interface Program {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What libgsasl needs and its package does not lead to. */
const libraries = ['libgsasl18', 'libidn12', 'libntlm0', 'libgssglue1', 'libgssapi-krb5-2'];

async function kerberosOf(tree: string): Promise<string> {
  const names = await readdir(tree, { recursive: true });
  const found = names.find((name) => name.endsWith('/libgssapi_krb5.so.2'));
  return found === undefined ? 'libgssapi_krb5.so.2' : join(tree, found);
}

async function ensureProgram(name: string, packages: readonly string[], witness: string): Promise<Program> {
  const tree = await ensureUnpacked({ name, packages: [...packages, ...libraries], witness });
  const mechanisms = join(tree, 'gssapi_mech.conf');
  await writeFile(mechanisms, `${await kerberosOf(tree)} mechglue_internal_krb5_init\n`);
  return {
    path: join(tree, witness),
    env: { LD_LIBRARY_PATH: await libraryPath(tree), GSSAPI_MECH_CONF: mechanisms },
  };
}

export const ensureGsasl = (): Promise<Program> => ensureProgram('gsasl-client', ['gsasl'], 'usr/bin/gsasl');

export const ensureMsmtp = (): Promise<Program> =>
  ensureProgram('msmtp-client', ['msmtp', 'libsecret-1-0'], 'usr/bin/msmtp');
