/** For tests of what belongs to a user: a directory with users who have lists, and the names by which their mail comes. */
import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import type { Directory } from '../directory/directory.js';
import { type Ground, type GroundOptions, ground, settings } from './ground.js';

const mailbox = (address: string, block: readonly string[] = [], allow: readonly string[] = []) =>
  RecipientEntry.fromPartial({
    ...{ address, tenant: 't1', kind: RecipientKind.USER, enabled: true },
    checks: block.length + allow.length === 0 ? '' : JSON.stringify({ lists: { block, allow } }),
  });
export const alias = (address: string, ...targets: string[]) =>
  RecipientEntry.fromPartial({ address, tenant: 't1', kind: RecipientKind.ALIAS, enabled: true, targets });
const blocked = ['sender.test', 'author.test'];
const entries = [
  mailbox('carol@here.test', blocked),
  mailbox('dave@here.test', blocked),
  mailbox('erin@here.test'),
  mailbox('ann+x@here.test'),
  mailbox('ann@here.test', blocked),
  mailbox('fay@here.test', [], ['sender.test', 'author.test']),
  alias('sales@here.test', 'carol@here.test'),
  alias('all@here.test', 'sales@here.test'),
  alias('two@here.test', 'carol@here.test', 'dave@here.test'),
  alias('some@here.test', 'carol@here.test', 'erin@here.test'),
  alias('copy@here.test', 'carol@here.test', 'x@elsewhere.test'),
];
const byAddress = new Map(entries.map((entry) => [entry.address, entry]));
export const known: Directory = {
  lookup: (address) => {
    const entry = byAddress.get(address);
    return entry === undefined ? { kind: 'absent' } : { kind: 'found', entry };
  },
};
/** Address, and whether mail to it is mail to users who all block the sender. */
export const spellings: readonly (readonly [string, boolean])[] = [
  ['carol@here.test', true],
  ['Carol@here.test', true],
  ['CAROL+news@here.test', true],
  ['"carol"@here.test', true],
  ['sales@here.test', true],
  ['all@here.test', true],
  ['Sales+x@here.test', true],
  ['two@here.test', true],
  ['nobody@here.test', true],
  ['some@here.test', false],
  ['copy@here.test', false],
  ['erin@here.test', false],
  ['ann@here.test', true],
  ['ann+y@here.test', true],
  ['ann+x@here.test', false],
];

export const userWorld = (checks: Readonly<Record<string, object>> = {}, more: GroundOptions = {}): Ground =>
  ground({
    ...{ directory: known, ...more },
    snapshot: {
      ...settings(checks),
      usersSetChecks: true,
      domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true, catchAll: 'carol@here.test' }],
    },
  });
