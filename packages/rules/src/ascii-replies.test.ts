/** What clients read of a text that is not all ASCII. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { asciiReplies } from './ascii-replies.js';

const said = (...then: readonly unknown[]) =>
  asciiReplies({ id: 'r', event: 'rcpt', then }, { scope: { kind: 'operator' } });

test('each text that is written otherwise is told; others, and texts of no reply, are not', () => {
  expect(said({ reject: { text: 'nein — tschüß' } })).toEqual([
    'then[0].reject.text: clients without SMTPUTF8 read "nein - tschuss"',
  ]);
  expect(said({ tag: { name: 'a' } }, { tempfail: { text: '日本' } })).toEqual([
    'then[1].tempfail.text: clients without SMTPUTF8 read "??"',
  ]);
  expect(said({ reject: { text: 'no' } })).toEqual([]);
  expect(said({ quarantine: { reason: 'tschüß' } })).toEqual([]);
});
