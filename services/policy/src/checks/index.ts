/** All checks in the order in which their findings count. Checks of one stage run at the same time. No auto-discovery. */
import type { CheckDefinition } from '../check.js';
import { arc } from './arc.js';
import { author } from './author.js';
import { callforward } from './callforward.js';
import { country } from './country.js';
import { dkim } from './dkim.js';
import { dmarc } from './dmarc.js';
import { dnsbl } from './dnsbl.js';
import { dnswl } from './dnswl.js';
import { domainkeys } from './domainkeys.js';
import { greylist } from './greylist.js';
import { greylistSigned } from './greylist-signed.js';
import { helo } from './helo.js';
import { identity } from './identity.js';
import { lists } from './lists.js';
import { listsFrom } from './lists-from.js';
import { listsUser } from './lists-user.js';
import { listsUserFrom } from './lists-user-from.js';
import { ptr } from './ptr.js';
import { recipients } from './recipients.js';
import { sender } from './sender.js';
import { spf } from './spf.js';
import { uribl } from './uribl.js';

export const checks: readonly CheckDefinition[] = [
  ...[dnswl, country, dnsbl, ptr, helo],
  ...[lists, identity, spf, sender],
  ...[listsUser, recipients, callforward, greylist],
  ...[listsFrom, listsUserFrom, author],
  ...[dkim, greylistSigned, domainkeys, arc, dmarc, uribl],
];
