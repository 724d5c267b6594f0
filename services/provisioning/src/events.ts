/** Log events of provisioning. Names are stable: people search for them and alert on them. */
import { defineEvents } from '@postern/telemetry';

export const events = defineEvents('provisioning', {
  'provisioning.migrations.applied': 'Schema files ran at the start; names are listed.',
  'provisioning.bootstrap_key.created': 'No operator key file was there: a key was made and written, mode 0600.',
  'provisioning.operator_file.applied': 'The operator file is in effect; its tenants are stored.',
  'provisioning.operator_file.refused': 'The operator file changed and is wrong; the settings before it stay.',
  'provisioning.operator_file.postponed':
    'Sections of services in the operator file changed: in effect after the next start of the cluster, the rest of the file holds now. `fields` names them.',
  'provisioning.operator_file.kept':
    'The operator file is wrong at the start of this pod: the one that was applied last, kept in the database, is in effect.',
  'provisioning.operator_file.restored':
    'What the operator file declares of a tenant had been deleted through the API and was made again; how many of each kind.',
  'provisioning.operator_file.noted':
    'The operator file is in effect, and parts of it do not act as things are: `notes` names each with its field.',
  'provisioning.leadership.gained': 'This pod publishes: it holds the lock of the outbox.',
  'provisioning.leadership.lost': 'This pod no longer publishes.',
  'provisioning.snapshot.published': 'A snapshot was put where every pod sees it.',
  'provisioning.snapshot.conflicted': 'Another publisher wrote a snapshot meanwhile; published again above it.',
  'provisioning.directory.published': 'Directory entries were written or removed.',
  'provisioning.directory.rebuilt': 'The projection was missing: every address goes through the outbox again.',
  'provisioning.outbox.failed': 'Publishing failed; nothing is lost, it is tried again.',
  'provisioning.database.failed': 'An idle database connection broke; another one is opened.',
  'provisioning.nats.changed': 'The connection to NATS changed its state.',
  'provisioning.request.denied': 'A call had no valid key, or its role does not allow it.',
  'provisioning.request.failed': 'A call failed for a reason that is not the caller.',
  'provisioning.login.refused': 'Credentials were not right, or the user may not log in; the reason is given.',
  'provisioning.housekeeping.failed': 'Old rows could not be pruned; tried again later.',
});

export type ProvisioningEvent = keyof typeof events;
