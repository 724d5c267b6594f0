/** A list that lists everybody, or nobody, does not count; one that is away keeps its standing. RFC 5782 §5. */
import { FakeClock } from '@postern/clock';
import { createZone, type ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test, vi } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';
import { matchesCode } from './dns-list.js';
import { createListHealth } from './list-health.js';

const listed = { A: ['127.0.0.2'] };
const good: ZoneData = { '2.0.0.127.bl.test': listed, '10.2.0.192.bl.test': listed };

function at(zone: ZoneData) {
  const clock = new FakeClock();
  const resolver = createZone(zone, clock);
  const changes: string[] = [];
  const onChanged = (name: string, usable: boolean, reason: string): void =>
    void changes.push(`${name} ${usable} ${reason}`);
  return { clock, resolver, changes, listHealth: createListHealth({ clock, resolver, onChanged }) };
}

test.each<[string, ZoneData, string, Action]>([
  ['a good list', good, 'listed', Action.REJECT],
  ['a list of everybody', { ...good, '*.bl.test': listed, '1.0.0.127.bl.test': listed }, 'unusable', Action.ACCEPT],
  ['a list without its test point', { '10.2.0.192.bl.test': listed }, 'unusable', Action.ACCEPT],
  [
    'a list that does not serve us',
    { '2.0.0.127.bl.test': { A: ['127.255.255.254'] }, '10.2.0.192.bl.test': listed },
    'unusable',
    Action.ACCEPT,
  ],
  [
    'a lapsed domain',
    { '2.0.0.127.bl.test': { A: ['203.0.113.7'] }, '10.2.0.192.bl.test': listed },
    'unusable',
    Action.ACCEPT,
  ],
  [
    'test points that time out',
    { '2.0.0.127.bl.test': 'timeout', '10.2.0.192.bl.test': listed },
    'listed',
    Action.REJECT,
  ],
])('%s', async (_what, zone, outcome, action) => {
  const { clock, resolver, changes, listHealth } = at(zone);
  const snapshot = settings({ dnsbl: { zones: ['bl.test'] } });
  const verdict = await askEnvelope(ground({ clock, resolver, snapshot, tools: { listHealth } }));
  expect([verdict.findings[0]?.outcome, verdict.decision?.action]).toEqual([outcome, action]);
  expect(changes).toHaveLength(outcome === 'unusable' ? 1 : 0);
});

test('a broken list is tested again every hour, and counts when it passes', async () => {
  const { clock, resolver, changes, listHealth } = at({ '10.2.0.192.bl.test': listed });
  expect(await listHealth.usable('address', 'bl.test', 1_000)).toBe(false);
  resolver.set('2.0.0.127.bl.test', listed);
  expect(listHealth.usable('address', 'bl.test', 1_000)).toBe(false);
  clock.advance(3_600_000);
  await vi.waitFor(() => expect(listHealth.usable('address', 'bl.test', 1_000)).toBe(true));
  expect(changes).toEqual(['bl.test false does not list 127.0.0.2', 'bl.test true ']);
});

test.each<[object, string]>([
  [{ lists: [{ zone: 'bl.test', weight: 0.5 }] }, 'clear'],
  [
    {
      lists: [
        { zone: 'bl.test', weight: 0.5 },
        { zone: 'two.test', weight: 0.5 },
      ],
    },
    'listed',
  ],
  [{ lists: [{ zone: 'bl.test', codes: ['127.0.0.4-7'] }] }, 'clear'],
  [{ lists: [{ zone: 'bl.test', codes: ['127.0.0.1-3'] }] }, 'listed'],
  [{ zones: ['bl.test'], exempt: ['192.0.2.0/28'] }, 'exempt'],
  [{ zones: ['bl.test'], threshold: 2 }, 'clear'],
])('%j is %s', async (dnsbl, outcome) => {
  const zone = { ...good, '10.2.0.192.two.test': listed };
  const verdict = await askEnvelope(ground({ zone, snapshot: settings({ dnsbl: { selfTest: false, ...dnsbl } }) }));
  expect(verdict.findings[0]?.outcome).toBe(outcome);
});

test.each([
  ['127.0.0.2', '127.0.0.2', true],
  ['127.0.0.2', '127.0.0.3', false],
  ['127.0.1.9', '127.0.0-1.0-255', true],
])('%s matches %s: %s', (answer, pattern, matches) => {
  expect(matchesCode(answer, pattern)).toBe(matches);
});
