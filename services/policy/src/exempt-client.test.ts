/** An address that seems to stand for many clients is spared by no allow list, no list of good clients and no exempt network, and blocked all the same. */
import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from './testing/ground.js';

const exempt = ['192.0.2.0/24'];
const listed = { '10.2.0.192.bl.test': { A: ['127.0.0.2'] }, '10.2.0.192.good.test': { A: ['127.0.0.2'] } };

test.each<[string, Readonly<Record<string, object>>, string, string | undefined]>([
  ['lists', { lists: { allow: exempt } }, 'allowed', 'unlisted'],
  ['lists', { lists: { block: exempt } }, 'blocked', 'blocked'],
  ['lists', { lists: { allow: ['a@sender.test'] } }, 'allowed', 'allowed'],
  ['ptr', { ptr: { exempt } }, 'exempt', 'missing'],
  ['helo', { helo: { exempt, mustResolve: true } }, 'exempt', 'unresolved'],
  ['dnsbl', { dnsbl: { zones: ['bl.test'], selfTest: false, exempt } }, 'exempt', 'listed'],
  ['dnswl', { dnswl: { zones: ['good.test'], selfTest: false } }, 'listed', undefined],
  ['greylist', { greylist: { exempt } }, 'exempt', 'unavailable'],
])('%s, %j: %s, of a suspected address %s', async (check, checks, usual, suspected) => {
  const found = async (addressSuspected: boolean): Promise<string | undefined> => {
    const verdict = await askEnvelope(ground({ zone: listed, snapshot: settings(checks) }), { addressSuspected });
    return verdict.findings.find((finding) => finding.check === check)?.outcome;
  };
  expect([await found(false), await found(true)]).toEqual([usual, suspected]);
});
