/** The settings of all checks by the names findings carry. */
import { type Infer, s } from '@postern/config';
import { lists } from './address-lists.js';
import { arc, dkim, dmarc, domainkeys, spf } from './authentication.js';
import { countryCheck, helo, ptr, sender } from './client.js';
import { dnsbl, dnswl, uribl } from './dns-lists.js';
import { greylist } from './greylist.js';
import { author, callForward, identity } from './submission.js';

export const checksSchema = s.object({
  lists,
  country: countryCheck,
  dnswl,
  dnsbl,
  ptr,
  helo,
  spf,
  sender,
  greylist,
  callforward: callForward,
  identity,
  author,
  dkim,
  domainkeys,
  arc,
  dmarc,
  uribl,
});

export type CheckSettings = Infer<typeof checksSchema>;
export type CheckName = keyof CheckSettings;
