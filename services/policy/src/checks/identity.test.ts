import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { Directory } from '../directory/directory.js';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const logins: Directory = {
  lookup: (address) =>
    address === 'ann@here.test'
      ? {
          kind: 'found',
          entry: RecipientEntry.fromPartial({
            address,
            tenant: 't1',
            kind: RecipientKind.USER,
            enabled: true,
            allowedIdentities: ['sales@here.test', '@team.here.test'],
          }),
        }
      : { kind: 'absent' },
};

test.each<[string, string, Action]>([
  ['ann@here.test', 'own', Action.ACCEPT],
  ['ANN@here.test', 'own', Action.ACCEPT],
  ['ann+news@here.test', 'own', Action.ACCEPT],
  ['sales@here.test', 'allowed', Action.ACCEPT],
  ['anybody@team.here.test', 'allowed', Action.ACCEPT],
  ['bob@here.test', 'foreign', Action.REJECT],
  ['ann@elsewhere.test', 'foreign', Action.REJECT],
])('ann as %s: %s', async (from, outcome, action) => {
  const here = ground({ snapshot: settings({ identity: {} }), directory: logins });
  const verdict = await askEnvelope(here, { from, user: 'ann@here.test', role: 'submission', to: ['x@far.test'] });
  expect(verdict.findings[0]).toMatchObject({ check: 'identity', outcome });
  expect(verdict.decision?.action).toBe(action);
});

test('a bounce passes, and a directory that is away is 451', async () => {
  const away = ground({
    snapshot: settings({ identity: {} }),
    directory: { lookup: () => ({ kind: 'unavailable', reason: 'away' }) },
  });
  const login = {
    user: 'ann@here.test',
    role: 'submission',
    to: [{ address: 'x@far.test', tenant: 't1', relay: true }],
  };
  expect((await askEnvelope(away, { ...login, from: '' })).decision?.action).toBe(Action.ACCEPT);
  expect((await askEnvelope(away, { ...login, from: 'bob@here.test' })).decision?.action).toBe(Action.TEMPFAIL);
});
