import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const zone = { '10.2.0.192.wl.test': { A: ['127.0.9.2'] }, '10.2.0.192.bl.test': { A: ['127.0.0.2'] } } as const;
const bl = { dnsbl: { zones: ['bl.test'], selfTest: false } };

test.each<[string, object, Action]>([
  ['spares what it names', { zones: ['wl.test'], selfTest: false }, Action.ACCEPT],
  ['spares nothing else', { zones: ['wl.test'], selfTest: false, skips: ['greylist'] }, Action.REJECT],
  ['counts by code', { lists: [{ zone: 'wl.test', codes: ['127.0.9.0-1'] }], selfTest: false }, Action.REJECT],
])('a list of good clients %s', async (_what, dnswl, action) => {
  const verdict = await askEnvelope(ground({ zone, snapshot: settings({ dnswl, ...bl }) }));
  expect(verdict.decision?.action).toBe(action);
});
