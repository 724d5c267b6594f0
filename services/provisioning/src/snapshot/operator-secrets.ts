/** Passwords of the operator's own next hops, sealed into SECRETS; one that did not change is not written again. */
import type { Bucket } from '@postern/stream';
import { givenPassword } from '../operator/password-source.js';
import type { OperatorDocument } from '../operator/schema.js';
import { routeSecretKey, type Sealer } from '../secrets/seal.js';
import { operatorTenant } from './compile.js';

export async function putOperatorSecrets(document: OperatorDocument, secrets: Bucket, sealer: Sealer): Promise<void> {
  for (const [name, hop] of Object.entries(document.nextHops)) {
    for (const [index, host] of hop.hosts.entries()) {
      const plain = await givenPassword(host);
      if (plain === undefined) continue;
      const key = routeSecretKey(operatorTenant, name, index);
      const stored = (await secrets.get(key))?.value;
      if (stored !== undefined && sealer.open(operatorTenant, stored) === plain) continue;
      await secrets.put(key, sealer.seal(operatorTenant, plain));
    }
  }
}
