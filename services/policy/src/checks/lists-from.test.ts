import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, ground, settings } from '../testing/ground.js';

test.each<[string, string, Action]>([
  ['From: Ann <ann@author.test>', 'blocked', Action.REJECT],
  ['From: "ann@author.test" <x@other.test>', 'unlisted', Action.ACCEPT],
  ['From: x@other.test, ann@author.test', 'blocked', Action.REJECT],
  ['Subject: no author', 'unlisted', Action.ACCEPT],
  ['From: ann@author.test <', 'blocked', Action.REJECT],
  ['From: ann@author.test <>, x@other.test', 'blocked', Action.REJECT],
  ['From: x@other.test\nFrom: ann@author.test', 'blocked', Action.REJECT],
  [`From: ${'x@other.test, '.repeat(150)}ann@author.test`, 'blocked', Action.REJECT],
  [`From: ${Array.from({ length: 1_100 }, (_, n) => `x${n}@o.test`).join(',')}`, 'blocked', Action.REJECT],
  ['From: Ann <ann@büro.test>', 'blocked', Action.REJECT],
  ['From: Ann <ann@xn--bro-hoa.test>', 'blocked', Action.REJECT],
  ['From: friend@allowed.test <', 'unlisted', Action.ACCEPT],
])('%s is %s', async (field, outcome, action) => {
  const here = ground({
    snapshot: settings({ lists: { block: ['author.test', 'xn--bro-hoa.test'], allow: ['allowed.test'] } }),
  });
  const verdict = await askContent(here, `${field}\n\nbody\n`, {});
  expect(verdict.findings.find(({ check }) => check === 'lists_from')).toMatchObject({ outcome });
  expect(verdict.decision?.action).toBe(action);
});

test('a list of clients says nothing about authors, however many there are', async () => {
  const here = ground({ snapshot: settings({ lists: { block: ['198.51.100.77', '2001:db8::/32'] } }) });
  const many = Array.from({ length: 1_100 }, (_none, index) => `x${index}@o.test`).join(',');
  const verdict = await askContent(here, `From: ${many}\n\nbody\n`, {});
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
});
