/**
 * Who is let in and how much of it (issue rows B2, B3, C2, C4, C5, C8, D5, F11): IP sets, message limits, error control, deadlines, marks of
 * overload. Connection limits are in `limits-schema.ts`, since listeners have the same.
 */
import { s } from '@postern/config';
import { memberLimits } from './limits-schema.js';
import { freeName, network } from './written-forms.js';

const number = s.integer({ min: 0, max: 4_294_967_295 });
const count = (what: string, value = 0) => number.default(value).doc(what);

export const messageRate = s.object({
  messages: count('Messages per interval; 0 = no limit.'),
  recipients: count('Recipients per interval; 0 = no limit.'),
  bytes: s.bytes().default(0).doc('Bytes as received per interval; 0 = no limit.'),
  interval: s.duration({ min: 1_000, max: 86_400_000 }).default('1h').doc('Interval.'),
});

const ofEverybody = 'Left out: as for everybody (messageLimits.perAddress); 0 = no limit for members.';
const memberRate = s.object({
  messages: number.optional().doc(`Messages per interval. ${ofEverybody}`),
  recipients: number.optional().doc(`Recipients per interval. ${ofEverybody}`),
  bytes: s.bytes().optional().doc(`Bytes as received per interval. ${ofEverybody}`),
  interval: s
    .duration({ min: 1_000, max: 86_400_000 })
    .default('1h')
    .doc('Interval of those given here; what is as for everybody keeps its own.'),
});

const hour = 3_600_000;
const wait = (max: number, value: string, doc: string) => s.duration({ max }).default(value).doc(doc);

const errorControl = s.object({
  badCommands: count('Wrong commands of one address per interval that end in a ban; 0 = none do.', 100),
  failedLogins: count('Failed logins of one address per interval that end in a ban; 0 = none do.', 20),
  unknownRecipients: count('Unknown recipients of one address per interval that end in a ban; 0 = none do.', 100),
  interval: s
    .duration({ min: 1_000, max: 24 * hour })
    .default('10m')
    .doc('Interval of these counts.'),
  ban: s
    .duration({ min: 1_000, max: 720 * hour })
    .default('10m')
    .doc('First ban; each further one is twice as long.'),
  longestBan: s
    .duration({ min: 1_000, max: 8_760 * hour })
    .default('24h')
    .doc('Longest ban.'),
  failedLoginsPerAccount: count(
    'Failed logins of one account per interval, from all addresses together. Beyond it only addresses it logged in from before may try; others hear 454. 0 = no limit.',
    30,
  ),
  failedLoginsPerSession: count('Failed logins per session, then 421; 0 = edge.maxAuthFailures.'),
  loginDelay: wait(
    60_000,
    '500ms',
    'Delay of the answer to the first failed login; doubles with each of the session and the account.',
  ),
  longestLoginDelay: wait(60_000, '8s', 'Longest such delay.'),
  tarpitErrors: count('So many errors of a session are answered at once, those after them late; 0 = never late.', 5),
  tarpitDelay: wait(60_000, '500ms', 'How late the first of them; each further one is later by as much.'),
  longestTarpit: wait(60_000, '5s', 'Longest such delay.'),
  pregreetWait: wait(
    30_000,
    '0s',
    'How long the banner of a listener of role mx waits for a client that never delivered here, to catch those that speak first; 0 = not at all. Known clients never wait.',
  ),
});

const deadlines = s.object({
  command: s.duration({ min: 1_000, max: hour }).default('5m').doc('From a reply to the next whole command.'),
  message: s
    .duration({ min: 10_000, max: 24 * hour })
    .default('1h')
    .doc('One message, whatever its size.'),
  silence: s.duration({ min: 1_000, max: hour }).default('3m').doc('Without a byte while a message comes.'),
  minimumRate: s
    .integer({ min: 1, max: 1_000_000 })
    .default(64)
    .doc('Bytes a second on average while a message comes, after the first minute.'),
  session: s
    .duration({ max: 168 * hour })
    .default('0s')
    .doc('The whole session; 0 = no limit.'),
});

const percent = (value: number, doc: string) => s.integer({ min: 1, max: 100 }).default(value).doc(doc);

const overload = s.object({
  loopDelay: s.duration({ min: 50, max: 60_000 }).default('500ms').doc('Mean delay of the event loop.'),
  heap: percent(90, 'Share of the heap limit in use, percent.'),
  memory: percent(85, 'Share of the memory an edge process may have in use, heap and outside it, percent.'),
  spoolLatency: s.duration({ min: 50, max: 60_000 }).default('5s').doc('Mean time of the durable write.'),
  storage: percent(90, 'Share of the bytes of stream SPOOL in use, percent.'),
});

const ipSet = s.object({
  priority: s.integer({ min: -1_000_000, max: 1_000_000 }).default(0).doc('Lowest wins where sets overlap.'),
  enabled: s.boolean().default(true).doc('Off: as if it were not there.'),
  action: s.enumeration(['allow', 'deny']).default('allow').doc('For members no access rule matches.'),
  networks: s.list(network, { max: 1_000_000 }).default([]).doc('Its members.'),
  listeners: s
    .list(s.string({ minLength: 1, maxLength: 63 }), { max: 64 })
    .default([])
    .doc('Listeners it holds for; empty = all.'),
  limits: memberLimits
    .optional()
    .doc(
      'Limits of members. Per-address limits take the place of those of service and listener, as do sizes and counts; totals hold besides theirs (0 = none of its own).',
    ),
  messageLimit: memberRate
    .optional()
    .doc('Of one member, each in place of that of messageLimits.perAddress. IPv6 by limits.ipv6Prefix of the set.'),
  skipChecks: s
    .list(s.string({ minLength: 1, maxLength: 63, pattern: /^[a-z]+$/, form: 'the name of a check' }), { max: 64 })
    .default([])
    .doc('Checks that are not run for members, such as spf or dnsbl.'),
  trusted: s
    .boolean()
    .default(false)
    .doc('Members are never banned, not slowed down, greeted at once, and shed last when a pod has too much to do.'),
});

export const flowFields = {
  ipSets: s
    .record(ipSet, { max: 10_000, ...freeName })
    .default({})
    .doc('Named sets of clients with limits of their own.'),
  messageLimits: s.object({
    perAddress: messageRate.doc('Of one client address, IPv6 by limits.ipv6Prefix.'),
    perUser: messageRate.doc('Of one authenticated user.'),
    perTenant: messageRate.doc('Of one tenant: what is submitted for it.'),
  }),
  errorControl: errorControl.doc('Errors of clients, counted per session and, per address, over all pods.'),
  deadlines: deadlines.doc('How long a client may take.'),
  overload: overload.doc('Above these marks a pod takes less mail, the least trusted first.'),
};
