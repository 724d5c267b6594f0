/** What checks share besides DNS and the directory: state of the cluster, the databases of countries and autonomous systems, health of lists, the next hops. */
import type { CallForward } from './call-forward/call-forward.js';
import type { AsnLookup } from './country/asn-database.js';
import type { CountryLookup } from './country/country-database.js';
import type { ListHealth } from './dns-lists/list-health.js';
import type { GreylistStore } from './greylist/greylist-store.js';

export interface CheckTools {
  readonly greylist: GreylistStore;
  readonly country: CountryLookup;
  readonly asn: AsnLookup;
  readonly listHealth: ListHealth;
  readonly callForward: CallForward;
}
