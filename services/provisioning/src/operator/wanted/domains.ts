/** Domains of the operator file, which count as verified, their signing keys sealed. A key that did not change keeps its sealed bytes. */
import { readSecret } from '@postern/config';
import { canonicalDomain } from '../../addresses.js';
import { operatorScope } from '../../database/tenant-scope.js';
import { dkimSecretKey } from '../../secrets/seal.js';
import type { ApplyContext } from '../apply-context.js';
import type { OperatorTenant } from '../schema.js';
import { addressOf } from './address.js';

export interface WantedDomain {
  readonly name: string;
  readonly next_hop: string;
  readonly validate_recipients: boolean;
  readonly catch_all: string;
  readonly dkim_keys: { readonly selector: string; readonly sealed: string }[];
  readonly secrets: string[];
}

export async function wantedDomains(tenant: OperatorTenant, context: ApplyContext): Promise<WantedDomain[]> {
  const rows = await context.withTenant(operatorScope, (tx) =>
    tx.rows<Pick<WantedDomain, 'name' | 'dkim_keys'>>('SELECT name, dkim_keys FROM domains WHERE tenant = $1', [
      tenant.name,
    ]),
  );
  const stored = new Map(rows.map((row) => [row.name, row.dkim_keys]));
  return Promise.all(
    tenant.domains.map(async (domain) => {
      const name = canonicalDomain(domain.name) ?? domain.name;
      const secrets: string[] = [];
      const keys = await Promise.all(
        domain.dkim.map(async ({ selector, keyFile }) => {
          const plain = await readSecret(keyFile);
          const before = stored.get(name)?.find((key) => key.selector === selector);
          const known =
            before === undefined ? undefined : context.sealer.open(tenant.name, Buffer.from(before.sealed, 'base64'));
          if (before !== undefined && known === plain) return before;
          secrets.push(dkimSecretKey(tenant.name, name, selector));
          return { selector, sealed: context.sealer.seal(tenant.name, plain).toString('base64') };
        }),
      );
      return {
        name,
        next_hop: domain.nextHop,
        validate_recipients: domain.validateRecipients,
        catch_all: domain.catchAll === '' ? '' : addressOf(domain.catchAll),
        dkim_keys: keys,
        secrets,
      };
    }),
  );
}
