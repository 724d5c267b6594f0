/** All checks in the order in which they are asked. Checks of one stage run at the same time. No auto-discovery. */
import type { CheckDefinition } from '../check.js';
import { dkim } from './dkim.js';
import { dmarc } from './dmarc.js';
import { dnsbl } from './dnsbl.js';
import { recipients } from './recipients.js';
import { spf } from './spf.js';

export const checks: readonly CheckDefinition[] = [dnsbl, spf, recipients, dkim, dmarc];
