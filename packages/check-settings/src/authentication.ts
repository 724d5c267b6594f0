/** Settings of SPF, DKIM, DMARC and ARC. */
import { s } from '@postern/config';
import { common, failureActions, onOutcome } from './base.js';

export const spf = s.object({
  ...common({ what: 'SPF of the reverse-path is checked', enabled: true, timeout: '5s' }),
  helo: s.boolean().default(false).doc('The greeting is checked as well; its failure counts as one of the check.'),
  onSoftfail: onOutcome('softfail'),
  onNeutral: onOutcome('neutral'),
  onNone: onOutcome('a domain without SPF'),
  onPermerror: onOutcome('a record that cannot be read (permerror)'),
});

export const dkim = s.object({
  ...common({ what: 'DKIM signatures are verified', enabled: true, timeout: '5s' }),
  maxSignatures: s.integer({ min: 1, max: 50 }).default(10).doc('Signatures looked at, from the top.'),
  minRsaBits: s.integer({ min: 1_024, max: 4_096 }).default(1_024).doc('Shorter RSA keys count as policy failure.'),
  maxRsaBits: s.integer({ min: 2_048, max: 8_192 }).default(4_096).doc('Longer RSA keys count as policy failure.'),
});

export const dmarc = s.object({
  ...common({ what: 'DMARC is evaluated', enabled: true, timeout: '5s' }),
  trustedArcSealers: s
    .list(s.domain(), { max: 1_000 })
    .default([])
    .doc('Domains whose ARC seal is believed: a DMARC failure of what they saw pass is overridden.'),
  onPermerror: s
    .enumeration(failureActions)
    .default('reject')
    .doc(
      'What a From field does that names no author, or more than are looked at (permerror); never more than onFail.',
    ),
  onTemperror: s
    .enumeration(['mark', 'tempfail'])
    .default('tempfail')
    .doc(
      'With onFail: reject, what happens while DNS does not tell whether the message is one to refuse: 451, or it passes.',
    ),
});

export const arc = s.object(common({ what: 'ARC chains are verified', timeout: '5s' }));

export const domainkeys = s.object(
  common({ what: 'signatures of DomainKeys (RFC 4870, the forerunner of DKIM) are verified', timeout: '5s' }),
);
