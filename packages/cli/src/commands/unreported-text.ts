/** Of how many of those bounced the sender hears nothing, and why, one line for each reason. */
import { printable } from '../output.js';

const unreportedBecause: Readonly<Record<string, string>> = {
  'null-reverse-path': 'no sender to tell, the message came from <>',
  'not-asked': 'the sender asked for no report (NOTIFY)',
  'no-item': 'its envelope is not known any more',
  unauthenticated: 'neither a login nor SPF or DKIM vouches for the sender',
};

export function unreportedText(unreported: Readonly<Record<string, number>>): string[] {
  return Object.entries(unreported).map(
    ([why, count]) => `No report is sent for ${count} of them: ${unreportedBecause[why] ?? printable(why)}.`,
  );
}
