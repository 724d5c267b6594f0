/** Limits of connections and sessions in the operator file (issue row B3): of the service, of one listener, and of the members of an IP set. */
import { s } from '@postern/config';
import { count } from './written-forms.js';

const limitFields = {
  connections: count.default(0).doc('Simultaneous connections over all pods; 0 = no limit.'),
  connectionsPerIp: count.default(0).doc('Simultaneous connections per client prefix; 0 = no limit.'),
  connectionRate: count.default(0).doc('New connections per interval over all pods; 0 = no limit.'),
  connectionRatePerIp: count.default(0).doc('New connections per interval per client prefix; 0 = no limit.'),
  interval: s.duration({ min: 1_000, max: 86_400_000 }).default('1m').doc('Interval of the rates.'),
  ipv6Prefix: s
    .integer({ min: 16, max: 128 })
    .optional()
    .doc(
      'IPv6 clients are counted by this prefix length. Left out: 64 for the service; for a listener or IP set what holds for the service.',
    ),
  messageSize: s
    .bytes({ min: 1_024, max: 1_099_511_627_776 })
    .optional()
    .doc(
      'Largest message as received. Left out: 50 MiB for the service; for a listener or IP set what holds for the service. There is no message without a limit: streams have one.',
    ),
  recipients: count.default(0).doc('Recipients per message; 0 = 1,000 for the service, no own limit for a listener.'),
  messagesPerSession: count.default(0).doc('Messages per session; 0 = no limit.'),
  bytesPerSession: s
    .bytes({ max: 1_099_511_627_776 })
    .default(0)
    .doc('Bytes of accepted messages per session; 0 = no limit. One message with more is refused for good.'),
  errorsPerSession: count.default(0).doc('Wrong or failed commands per session; 0 = 20.'),
};
/** Of the service, or of one listener besides those. */
export const limits = s.object(limitFields);
const asOthers = 'Left out: as for everybody; 0 = no limit for members.';
/** Of members of an IP set: what is left out is as for everybody. */
export const memberLimits = s.object({
  ...limitFields,
  connectionsPerIp: count.optional().doc(`Simultaneous connections per client prefix. ${asOthers}`),
  connectionRatePerIp: count.optional().doc(`New connections per interval per client prefix. ${asOthers}`),
  messagesPerSession: count.optional().doc(`Messages per session. ${asOthers}`),
  bytesPerSession: s
    .bytes({ max: 1_099_511_627_776 })
    .optional()
    .doc(`Bytes of accepted messages per session. ${asOthers}`),
  recipients: count.optional().doc(`Recipients per message. ${asOthers}`),
  errorsPerSession: count.optional().doc(`Wrong or failed commands per session. ${asOthers}`),
});
