import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope } from '../testing/ground.js';
import { spellings, userWorld } from '../testing/user-world.js';

test.each(spellings)("mail to %s meets the user's list by From: %s", async (address, isRefused) => {
  const message = 'From: Ann <ann@author.test>\n\nbody\n';
  const { decision } = await askContent(userWorld(), message, { from: 'a@plain.test', to: [address] });
  expect(decision?.decidedBy).toBe(isRefused ? 'lists_user_from' : '');
});

test("of several recipients one's list by From keeps its own copy back", async () => {
  const described = { from: 'a@plain.test', to: ['carol@here.test', 'erin@here.test'] };
  const { decision, groups } = await askContent(userWorld(), 'From: ann@author.test\n\nbody\n', described);
  expect(decision?.action).toBe(Action.ACCEPT);
  expect(groups.map((group) => [group.recipients, group.decision?.decidedBy])).toEqual([
    [['carol@here.test'], 'lists_user_from'],
    [['erin@here.test'], ''],
  ]);
});

test.each([
  ['reverse-path', 'a@sender.test', 'From: x@plain.test'],
  ['From', 'a@plain.test', 'From: x@author.test'],
])("a user's allow by %s spares URIBL, for that user alone", async (_by, from, field) => {
  const zone = { 'links.test.uri.test': { A: ['127.0.0.2'] } };
  const at = userWorld({ uribl: { zones: ['uri.test'], selfTest: false, onFail: 'reject' } }, { zone });
  const message = `${field}\n\nhttp://links.test/\n`;
  const decided = async (to: string) => {
    const described = { from, to: [to] };
    return (await askContent(at, message, described, await askEnvelope(at, described))).decision?.decidedBy;
  };
  expect([await decided('fay@here.test'), await decided('erin@here.test')]).toEqual(['', 'uribl']);
});
