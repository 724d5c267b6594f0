/** country: in which country is the client's address, and is mail from there wanted? No database, or no country: nobody is judged by it. */
import { defineCheck } from '../check.js';
import { isReserved } from '../country/country-database.js';
import { isExemptClient } from '../exempt-client.js';

export const country = defineCheck({
  name: 'country',
  settings: 'country',
  doc: 'In which country is the client, and is mail from there wanted? By an MMDB file.',
  stage: 'connect',
  outcomes: ['accepted', 'blocked', 'unknown', 'exempt', 'unavailable'],
  late: 'unavailable',
  timeoutMs: 1_000,
  applies: ({ isOutsider }) => isOutsider,
  evaluate({ tools }, subject, { block, allow, unknown, exempt }) {
    const { origin } = subject;
    const code = tools.country.of(origin.clientAddress);
    if (code === undefined) return [{ outcome: 'unavailable', evidence: {} }];
    const evidence: Record<string, string> = code === '' ? {} : { country: code };
    if (isExemptClient(subject, exempt)) return [{ outcome: 'exempt', evidence }];
    if (code === '') {
      const fails = allow.length > 0 && unknown === 'block' && !isReserved(origin.clientAddress);
      return [fails ? { outcome: 'blocked', evidence: { reason: 'unknown' } } : { outcome: 'unknown', evidence }];
    }
    const blocked = block.includes(code) || (allow.length > 0 && !allow.includes(code));
    return [{ outcome: blocked ? 'blocked' : 'accepted', evidence }];
  },
});
