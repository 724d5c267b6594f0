/** Log events of the policy service. What is found about mail is not logged here: the edge traces it from the findings. */
import { defineEvents } from '@postern/telemetry';

export const policyEvents = defineEvents('policy', {
  'policy.check.failed': 'A check threw; its outcome is the temporary one and the call went on.',
  'policy.check.hurried':
    'The timeout of a check is longer than edges wait for a verdict (edge.policy.deadline): it is cut short to that.',
  'policy.dnsbl.unusable': 'A blocklist answered with an error code or outside 127/8; its answer did not count.',
  'policy.dnslist.broken': 'A DNS list failed its test points; it does not count until it passes them again.',
  'policy.dnslist.usable': 'A DNS list passes its test points again.',
  'policy.country.loaded': 'A country database was read.',
  'policy.country.refused': 'A country database cannot be read; the one before stays in use.',
  'policy.asn.loaded': 'A database of autonomous systems was read.',
  'policy.asn.refused': 'A database of autonomous systems cannot be read; the one before stays in use.',
  'policy.dns.silent':
    'No DNS server answers, not even about a name of our own; checks that ask are temperror and wait a moment only until one answers.',
  'policy.dns.answering': 'A DNS server answers again.',
  'policy.greylist.failed': 'Redis did not answer for the greylist; mail is treated as its settings say.',
  'policy.redis.failed': 'The connection to Redis failed; DNS answers are not shared until it is back.',
  'policy.settings.refused':
    'What a tenant or domain set for one check cannot be used; for that check the settings around it are in force.',
  'policy.rule.failed': 'A rule could not be computed or finished; a finding says what became of the mail.',
  'policy.rule.unfinished': 'The time for rules ran out; findings tell of the rules left.',
  'policy.rule.refused':
    'A stored rule of a tenant cannot be used by this release; the others of its tenant are in use.',
  'policy.thread.died':
    'A thread that hashes large bodies died or stopped answering; its bodies are a temporary error, the next one has a new thread.',
  'policy.request.failed': 'A request could not be evaluated; the edge applies its fallback.',
  'policy.stream.opened': 'An edge opened its stream.',
  'policy.stream.closed': 'The stream of an edge ended.',
  'policy.nats.changed': 'The connection to NATS changed state.',
  'policy.directory.dropped': 'The cache of recipients was dropped because its watch broke or opened again.',
  'policy.directory.failed': 'A recipient could not be looked up; the answer is 451.',
  'policy.snapshot.applied': 'A new snapshot is in use.',
  'policy.snapshot.refused': 'A snapshot needs a newer reader or cannot be compiled; the old one stays.',
});

export type PolicyEvent = keyof typeof policyEvents & string;
