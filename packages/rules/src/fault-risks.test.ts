// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { faultRisks } from './fault-risks.js';

const risks = (when: string | string[], then: unknown = 'reject') =>
  faultRisks({ id: 'r', event: 'body', when, then: [then] }, { scope: { kind: 'operator' } });

test.each<[when: string | string[], told: RegExp[]]>([
  ['headers.first("X").split(",")[5] == "a"', [/^when:1:\d+: headers\.first\("X"\)\.split\(","\) may be shorter/]],
  ['esmtp &&\n int(recipient.user) > 5', [/^when:2:2: recipient\.user must be such that it is a number/]],
  ['10 / message.parts == 1', [/message\.parts may be 0/]],
  ['helo.substring(5) == "x"', [/helo may be shorter/]],
  [['esmtp', 'int(helo) > 1'], [/^when\[1\]:1:1: helo/]],
  ['headers.first("X").split(",").size() > 5 && headers.first("X").split(",")[5] == "a"', []],
  ['recipient.user.rx("^[0-9]+$") && int(recipient.user) > 5', []],
  [['helo.rx("^[0-9]+$")', 'int(helo) > 1'], []],
  ['dkim.domains.size() > 0 ? dkim.domains[0] == "a.test" : false', []],
  ['int("7") == message.parts', []],
  ['sender.domain == "a.test"', []],
])('%j', (when, told) => {
  expect(risks(when)).toEqual(told.map((text) => expect.stringMatching(text)));
});

test('what becomes of the mail is said', () => {
  expect(risks('int(helo) > 1')).toEqual([expect.stringMatching(/put off \(onFault\)$/)]);
  expect(risks('int(helo) > 1', { tag: { name: 'a' } })).toEqual([expect.stringMatching(/left out .*\(onFault\)$/)]);
});
