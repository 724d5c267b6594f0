/** arc: does the ARC chain of the message hold, and who sealed it? RFC 8617. Whether a sealer is believed is dmarc's to say. */
import { defineCheck } from '../check.js';

export const arc = defineCheck({
  name: 'arc',
  settings: 'arc',
  doc: 'Does the ARC chain of the message hold? RFC 8617.',
  stage: 'body',
  outcomes: ['none', 'pass', 'fail', 'temperror'],
  late: 'temperror',
  timeoutMs: 5_000,
  applies: ({ isOutsider, content }) => isOutsider && content !== undefined,
  async evaluate(_context, { content }) {
    const found = await content?.arc();
    if (found === undefined) return [{ outcome: 'none', evidence: {} }];
    const evidence: Record<string, string> = {};
    if (found.reason !== undefined) evidence.reason = found.reason;
    if (found.sets.length > 0) {
      evidence.sealers = found.sets.map(({ sealDomain }) => sealDomain).join(' ');
      const [oldest] = found.sets;
      if (oldest !== undefined) evidence.results = oldest.authenticationResults.slice(0, 1_000);
    }
    return [{ outcome: found.result, evidence }];
  },
});
