/** Autonomous systems from the operator's file: in rules, changed while the pod runs, and 0 where nothing is known. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { oneNetwork } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { askEnvelope, ground } from '../testing/ground.js';
import { asnOf, createAsnDatabase } from './asn-database.js';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-asn-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function database() {
  const told: string[] = [];
  const asn = createAsnDatabase({
    clock: systemClock,
    pollMs: 20,
    onLoaded: (file) => told.push(`loaded ${file}`),
    onRefused: (file) => told.push(`refused ${file}`),
  });
  return { asn, told };
}
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 5_000, interval: 10 });

test('a rule may name the system of the client', async () => {
  const file = join(dir, 'rule.mmdb');
  await writeFile(file, oneNetwork(192, { autonomous_system_number: 64_500 }));
  const { asn } = database();
  asn.use(file);
  await until(() => expect(asn.of('192.0.2.10')).toBe(64_500));
  const rules = [{ id: 'as', event: 'connect', when: 'asn == 64500', then: [{ reject: { text: 'not from there' } }] }];
  const here = ground({ rules, tools: { asn } });
  expect(here.faults).toEqual([]);
  expect((await askEnvelope(here)).decision).toMatchObject({ action: Action.REJECT, text: 'not from there' });
  expect((await askEnvelope(here, { client: '198.51.100.1' })).decision?.action).toBe(Action.ACCEPT);
  asn.stop();
});

test('another file is taken, a changed one read again, a broken one leaves the old; none is nobody', async () => {
  const [first, second] = [join(dir, 'first.mmdb'), join(dir, 'second.mmdb')];
  await writeFile(first, oneNetwork(192, { asn: 'AS64501' }));
  await writeFile(second, oneNetwork(10, { asn: 64_502 }));
  const { asn, told } = database();
  expect(asn.of('192.0.2.1')).toBe(0);
  asn.use(first);
  await until(() => expect(asn.of('::ffff:192.0.2.1')).toBe(64_501));
  await writeFile(first, oneNetwork(192, { asn: 64_503 }));
  await until(() => expect(asn.of('192.0.2.1')).toBe(64_503));
  await writeFile(first, 'no database');
  await until(() => expect(told).toContain(`refused ${first}`));
  expect(asn.of('192.0.2.1')).toBe(64_503);
  asn.use(second);
  await until(() => expect([asn.of('10.1.1.1'), asn.of('192.0.2.1'), asn.of('2001:db8::1')]).toEqual([64_502, 0, 0]));
  asn.use('');
  expect(asn.of('10.1.1.1')).toBe(0);
  asn.use(join(dir, 'away.mmdb'));
  await until(() => expect(told).toContain(`refused ${join(dir, 'away.mmdb')}`));
  expect(asn.of('10.1.1.1')).toBe(0);
  asn.stop();
});

test.each([
  [{ autonomous_system_number: 15_169 }, 15_169],
  [{ asn: '15169' }, 15_169],
  [{ asn: -1 }, 0],
  [{ asn: 'ASX' }, 0],
  [{}, 0],
  ['text', 0],
])('%j is %d', (entry, asn) => {
  expect(asnOf(entry)).toBe(asn);
});
