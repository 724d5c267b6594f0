/** Metrics of provisioning; the help text is the documentation. */
import { boundedLabel, type Metrics } from '@postern/telemetry';
import { mechanismLabels } from './credentials/mechanisms.js';

export type ProvisioningMetrics = ReturnType<typeof provisioningMetrics>;

export function provisioningMetrics(metrics: Metrics) {
  return {
    snapshotVersion: metrics.gauge({
      name: 'postern_provisioning_snapshot_version',
      help: 'Version of the snapshot this pod published last; 0 = none since its start.',
    }),
    leading: metrics.gauge({
      name: 'postern_provisioning_leader_state',
      help: '1 while this pod publishes the outbox. The sum over all pods is 1.',
    }),
    outboxPending: metrics.gauge({
      name: 'postern_provisioning_outbox_entries',
      help: 'Outbox entries the leader has not published, as last read.',
    }),
    publishDelay: metrics.histogram({
      name: 'postern_provisioning_publish_delay_seconds',
      help: 'From the commit of a change to its publication.',
    }),
    published: metrics.counter({
      name: 'postern_provisioning_published_total',
      help: 'Entries published, by kind; failed = a try that is repeated.',
      labels: { kind: ['snapshot', 'recipient', 'secret', 'failed'] },
    }),
    operatorFile: metrics.gauge({
      name: 'postern_provisioning_operator_file_state',
      help: '1 = the file in effect is the file on disk; 0 = the one on disk is wrong and refused.',
    }),
    requests: metrics.counter({
      name: 'postern_provisioning_requests_total',
      help: 'Calls of the public API by method and outcome.',
      labels: { method: boundedLabel(64), outcome: ['ok', 'refused', 'denied', 'failed'] },
    }),
    logins: metrics.counter({
      name: 'postern_provisioning_logins_total',
      help: 'Verified exchanges by outcome and mechanism; cached = right, and known from the minute before; disabled = user or tenant is, or the user has expired.',
      labels: {
        outcome: ['verified', 'cached', 'wrong', 'disabled', 'unsupported', 'unavailable'],
        mechanism: mechanismLabels,
      },
    }),
    loginSeconds: metrics.histogram({
      name: 'postern_provisioning_login_duration_seconds',
      help: 'Time of one verification, waiting for a hash slot included.',
    }),
  };
}
