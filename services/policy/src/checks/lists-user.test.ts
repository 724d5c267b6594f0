import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { Directory } from '../directory/directory.js';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const texts: Readonly<Record<string, string>> = {
  'blocks@here.test': '{"lists":{"block":["sender.test"]}}',
  'allows@here.test': '{"lists":{"allow":["sender.test"]}}',
  'plain@here.test': '',
  'broken@here.test': '{"spf":{"enabled":false}}',
};
const directory: Directory = {
  lookup: (address) => ({
    kind: 'found',
    entry: RecipientEntry.fromPartial({
      address,
      tenant: 't1',
      kind: RecipientKind.USER,
      enabled: true,
      checks: texts[address] ?? '',
    }),
  }),
};

test('each recipient says for itself; a block is one recipient refused, an allow spares the greylist', async () => {
  const snapshot = { ...settings({ greylist: {} }), usersSetChecks: true };
  const greylist = { ask: async () => ({ outcome: 'new' as const, waitMs: 60_000 }) };
  const verdict = await askEnvelope(ground({ snapshot, directory, tools: { greylist } }), { to: Object.keys(texts) });
  const said = verdict.recipients.map(({ address, decision }) => [address, decision?.action, decision?.decidedBy]);
  expect(said).toEqual([
    ['blocks@here.test', Action.REJECT, 'lists_user'],
    ['allows@here.test', Action.ACCEPT, ''],
    ['plain@here.test', Action.TEMPFAIL, 'greylist'],
    ['broken@here.test', Action.TEMPFAIL, 'greylist'],
  ]);
});

test('where no user set anything the directory is not asked for it', async () => {
  const here = ground({ snapshot: settings({}), directory });
  await askEnvelope(here, { to: ['blocks@here.test'] });
  expect(here.observed).toEqual(['recipients exists']);
});
