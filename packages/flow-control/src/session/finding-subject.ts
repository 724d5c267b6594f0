/**
 * Texts that a rule filled with facts of one party alone: who the recipient is, or who logged in (`evidence.about`, as policy writes it). A rule of the
 * operator may do so for mail between tenants; what it wrote is then read by that party's tenant, and by others without these words.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';

export type FindingSubject = 'recipient' | 'submitter';

/** Of the evidence of a rule. */
const texts: ReadonlySet<string> = new Set(['text', 'reason', 'value', 'prefix', 'suffix']);

export const isAbout = ({ evidence }: Pick<Finding, 'evidence'>, subject: FindingSubject): boolean =>
  evidence.about?.split(' ').includes(subject) === true;

export const withoutTexts = (evidence: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(evidence).filter(([name]) => !texts.has(name)));
