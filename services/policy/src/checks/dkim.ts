/**
 * dkim: does a signature of the message hold? RFC 6376. One finding for all signatures: the best result, with each signature in the
 * evidence. Verifying goes on while the body streams by (`content/message-content.ts`); here only the end is awaited.
 */
import type { DkimResult } from '@postern/mail-auth';
import { defineCheck } from '../check.js';

/** From best to worst: what one signature proves is not undone by another. `none` = there is no signature. */
const outcomes = ['pass', 'temperror', 'policy', 'fail', 'neutral', 'permerror', 'none'] as const;

export const dkim = defineCheck({
  name: 'dkim',
  settings: 'dkim',
  doc: 'Does a DKIM signature of the message hold? RFC 6376.',
  stage: 'body',
  outcomes,
  late: 'temperror',
  timeoutMs: 5_000,
  applies: ({ isOutsider, content }) => isOutsider && content !== undefined,
  async evaluate(_context, { content }) {
    const results = (await content?.dkim()) ?? [];
    const outcome = outcomes.find((candidate) => results.some(({ result }) => result === candidate)) ?? 'none';
    return [{ outcome, evidence: evidenceOf(results) }];
  },
});

function evidenceOf(results: readonly DkimResult[]): Record<string, string> {
  const evidence: Record<string, string> = {};
  const passing = results.filter(({ result }) => result === 'pass').map(({ domain }) => domain);
  if (passing.length > 0) evidence.domains = [...new Set(passing)].join(' ');
  for (const [index, { result, domain, selector, algorithm, keyBits, reason }] of results.entries()) {
    const why = reason === undefined ? '' : ` (${reason})`;
    evidence[`signature.${index + 1}`] = `d=${domain} s=${selector} a=${algorithm} bits=${keyBits} ${result}${why}`;
  }
  return evidence;
}
