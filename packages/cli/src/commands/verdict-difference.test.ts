/** Whatever a verdict does is a difference; what it merely saw is none. */
import { HeaderEditKind, type Rendering } from '@postern/proto/mail/v1/envelope';
import { Action, type DeepPartial, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { differences } from './verdict-difference.js';

type Given = DeepPartial<EvaluateResponse>;
const verdict = (given: Given) => EvaluateResponse.fromPartial(given);
const alice = 'alice@acme.test';
const copy = (rendering: DeepPartial<Rendering>, recipients: readonly string[] = [alice]): Given => ({
  groups: [{ recipients: [...recipients], rendering }],
});
const edit = (kind: HeaderEditKind, name: string, value: string) => ({ kind, name, value });

test.each<[string, Given, Given, readonly string[]]>([
  [
    'redirect',
    { recipients: [{ address: alice }] },
    { recipients: [{ address: alice, expandsTo: ['ops@acme.test'] }] },
    ['recipient <alice@acme.test>: then accepted; now accepted as ops@acme.test'],
  ],
  [
    'a copy for one more',
    { recipients: [{ address: alice, expandsTo: [alice] }] },
    { recipients: [{ address: alice, expandsTo: [alice, 'ops@acme.test'] }] },
    ['recipient <alice@acme.test>: then accepted as alice@acme.test; now accepted as alice@acme.test, ops@acme.test'],
  ],
  ['tag', {}, copy({ tags: ['vip'] }), ['deliver to <alice@acme.test>: now also tag vip']],
  [
    'a tag for two',
    {},
    copy({ tags: ['vip'] }, [alice, 'bob@acme.test']),
    ['deliver to <alice@acme.test> <bob@acme.test>: now also tag vip'],
  ],
  [
    'added and no longer removed fields',
    copy({ edits: [edit(HeaderEditKind.REMOVE, 'X-Old', '')] }),
    copy({ edits: [edit(HeaderEditKind.APPEND, 'X-New', '1')] }),
    [
      'deliver to <alice@acme.test>: no longer remove X-Old',
      'deliver to <alice@acme.test>: now also add last X-New: 1',
    ],
  ],
  [
    'a subject',
    copy({ edits: [edit(HeaderEditKind.CHANGE, 'Subject', 'a')] }),
    copy({ edits: [edit(HeaderEditKind.CHANGE, 'Subject', 'b')] }),
    [
      'deliver to <alice@acme.test>: no longer change Subject: a',
      'deliver to <alice@acme.test>: now also change Subject: b',
    ],
  ],
  [
    'limits and sender',
    {},
    { limits: { messageSize: 5, recipients: 0 }, changedSender: { address: 'b@acme.test' } },
    [
      'limits: then as they were; now messages of at most 5 bytes',
      'sender: then as the client gave it; now <b@acme.test>',
    ],
  ],
  [
    'what a rule wants for later, before any content',
    {},
    { findings: [{ check: 'rule', action: 'tag', recipient: alice, evidence: { name: 'vip', tenant: 'acme' } }] },
    ['recipient <alice@acme.test>: now also tag name=vip'],
  ],
  [
    'a refusal in place of copies',
    copy({ tags: ['vip'] }),
    { decision: { action: Action.REJECT, replyCode: 550, text: 'no', decidedBy: 'no@1' } },
    ['decision: then accepted; now refused "550 no", decided by no@1'],
  ],
])('%s', (_, then, now, lines) => {
  expect(differences(verdict(then), verdict(now))).toEqual(lines);
  expect(differences(verdict(now), verdict(now))).toEqual([]);
});

test('what was merely seen, and copies for whom an earlier step refuses, are no difference', () => {
  const seen = verdict({ findings: [{ check: 'spf', outcome: 'pass', action: 'none', durationUs: 7 }] });
  expect(differences(seen, verdict({ findings: [{ check: 'spf', outcome: 'fail', action: 'mark' }] }))).toEqual([]);
  expect(differences(verdict(copy({ tags: ['vip'] })), verdict({}), new Set([alice]))).toEqual([]);
});
