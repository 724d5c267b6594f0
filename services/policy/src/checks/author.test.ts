import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { Directory } from '../directory/directory.js';
import { askContent, ground, settings } from '../testing/ground.js';

const directory: Directory = {
  lookup: (address) => ({
    kind: 'found',
    entry: RecipientEntry.fromPartial({
      address,
      kind: RecipientKind.USER,
      enabled: true,
      allowedIdentities: ['sales@here.test'],
    }),
  }),
};
const login = { user: 'ann@here.test', role: 'submission' };

test.each<[string, string, Action]>([
  ['From: Ann <ann@here.test>', 'own', Action.ACCEPT],
  ['From: Sales <sales@here.test>', 'allowed', Action.ACCEPT],
  ['From: Boss <boss@here.test>', 'foreign', Action.REJECT],
  ['From: ann@here.test, boss@here.test', 'foreign', Action.REJECT],
  ['From: ann@here.test\nFrom: boss@here.test', 'foreign', Action.REJECT],
  ['From: ann@here.test <boss@here.test>', 'foreign', Action.REJECT],
  ['Subject: none', 'missing', Action.REJECT],
])('%s is %s', async (field, outcome, action) => {
  const here = ground({ snapshot: settings({ author: {} }), directory });
  const verdict = await askContent(here, `${field}\n\nbody\n`, login);
  expect(verdict.findings.find(({ check }) => check === 'author')).toMatchObject({ outcome });
  expect(verdict.decision?.action).toBe(action);
});

test('rewrite puts the login into From, tag names the check', async () => {
  const message = 'From: Boss <boss@here.test>\n\nbody\n';
  const rewriting = ground({ snapshot: settings({ author: { rewrite: true } }), directory });
  const rewritten = await askContent(rewriting, message, login);
  expect(rewritten.decision?.action).toBe(Action.ACCEPT);
  expect(rewritten.groups[0]?.rendering?.edits).toEqual([
    { kind: HeaderEditKind.CHANGE, name: 'From', value: '<ann@here.test>', index: 0, behind: '' },
  ]);
  const tagged = await askContent(
    ground({ snapshot: settings({ author: { onFail: 'tag' } }), directory }),
    message,
    login,
  );
  expect(tagged.groups[0]?.rendering?.tags).toEqual(['check-author']);
});
