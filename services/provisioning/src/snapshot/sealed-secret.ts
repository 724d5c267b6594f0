/** Finds the sealed bytes a key of SECRETS stands for; undefined = there are none any more, the key is removed. */
import type { Transaction } from '../database/tenant-scope.js';
import type { StoredHost } from './compile.js';

export async function sealedSecret(tx: Transaction, key: string): Promise<string | undefined> {
  const [kind, tenant = '', ...rest] = key.split('.');
  const last = rest.at(-1) ?? '';
  const name = rest.slice(0, -1).join('.');
  if (kind === 'dkim') {
    const [row] = await tx.rows<{ dkim_keys: { selector: string; sealed: string }[] }>(
      'SELECT dkim_keys FROM domains WHERE tenant = $1 AND name = $2',
      [tenant, name],
    );
    return row?.dkim_keys.find(({ selector }) => selector === last)?.sealed;
  }
  const [row] = await tx.rows<{ hosts: StoredHost[] }>('SELECT hosts FROM routes WHERE tenant = $1 AND name = $2', [
    tenant,
    name,
  ]);
  return row?.hosts[Number(last)]?.sealed;
}
