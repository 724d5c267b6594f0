/**
 * The operator's first key: made at the first start when the file is missing, mode 0600. The file is the truth: its hash is brought into
 * the database at every start, so a new database accepts the old key.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Random } from '@postern/clock';
import { ConfigError } from '@postern/config';
import { hashSecret, keyText, newSecret, readKey } from './access.js';
import { operatorScope, type WithTenant } from './database/tenant-scope.js';

const keyId = 'bootstrap';

/** True when the file was made now. */
export async function ensureBootstrapKey(file: string, withTenant: WithTenant, random: Random): Promise<boolean> {
  const made = await createIfMissing(file, random);
  const text = (await readFile(file, 'utf8')).trim();
  const key = readKey(text);
  if (key === undefined) {
    const message = 'not an operator key; remove the file and a new one is made at the next start';
    throw new ConfigError([{ place: file, path: 'provisioning.bootstrapKeyFile', message }]);
  }
  await withTenant(operatorScope, (tx) =>
    tx.run(
      `INSERT INTO api_keys (id, role, secret_hash) VALUES ($1, 'operator', $2)
       ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash, role = excluded.role, tenant = '', expires_at = NULL`,
      [key.id, hashSecret(key.secret)],
    ),
  );
  return made;
}

/** Written aside and linked, so that of two pods one wins and no half file is ever seen. */
async function createIfMissing(file: string, random: Random): Promise<boolean> {
  const known = await readFile(file, 'utf8').then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw unusable(file, error);
    },
  );
  if (known) return false;
  const aside = `${file}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(aside, `${keyText(keyId, newSecret(random))}\n`, { mode: 0o600, flag: 'wx' });
    await link(aside, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw unusable(file, error);
  } finally {
    await rm(aside, { force: true });
  }
}

function unusable(file: string, error: unknown): ConfigError {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unusable';
  return new ConfigError([
    { place: file, path: 'provisioning.bootstrapKeyFile', message: `cannot be used (${reason})` },
  ]);
}
