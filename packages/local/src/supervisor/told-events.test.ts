import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ToldEvents } from './told-events.js';

async function followed() {
  const dir = await mkdtemp(join(tmpdir(), 'postern-told-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const logs = ['provisioning-0', 'edge-0', 'edge-1'].map((instance) => ({ instance, file: join(dir, instance) }));
  const said: string[] = [];
  const events = new ToldEvents(logs, (line) => said.push(line));
  const write = (instance: string, ...lines: object[]) =>
    appendFile(join(dir, instance), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return { dir, said, events, write };
}

const refused = { event: 'provisioning.operator_file.refused', error: 'own.yaml:3: limits.x: unknown key\nand 2 more' };
const applied = { event: 'provisioning.operator_file.applied', file: 'own.yaml' };

test('a refused operator file is told with its faults, and that it is right again', async () => {
  const { said, events, write } = await followed();
  await write('provisioning-0', { ...refused, error: 'of an earlier run' }, applied);
  await events.skip();
  await events.look();
  await write('provisioning-0', { event: 'provisioning.request.denied' }, refused);
  await events.look();
  await events.look();
  await write('provisioning-0', applied, applied);
  await events.look();
  expect(said).toEqual([
    'the operator settings were refused; until they are corrected those before them stay in effect:',
    '  own.yaml:3: limits.x: unknown key',
    '  and 2 more',
    'the operator settings are right again and in effect',
  ]);
});

test('what of a changed file waits for a new start is told, field by field', async () => {
  const { said, events, write } = await followed();
  const fields = 'own.yaml:3: edge.maxHops\nown.yaml:9: redis.url';
  await write('provisioning-0', { event: 'provisioning.operator_file.postponed', file: 'own.yaml', fields }, applied);
  await events.look();
  expect(said).toEqual([
    'changed in your file, and in effect after the next start only (stop, npm start again); the rest of it holds now:',
    '  own.yaml:3: edge.maxHops',
    '  own.yaml:9: redis.url',
  ]);
});

test('settings of a listener no port has, and those a pod cannot carry out, are told once', async () => {
  const { said, events, write } = await followed();
  const reason = 'listeners.mx.role: "submission" is not the role of the listener on the pod';
  for (const edge of ['edge-0', 'edge-1']) {
    await write(edge, { event: 'edge.listener.unmatched', listener: 'partners', side: 'settings' });
    await write(edge, { event: 'edge.listener.unmatched', listener: 'bare', side: 'port' });
    await write(edge, { event: 'edge.listener.refused', listener: 'mx', reason });
  }
  await events.look();
  expect(said).toEqual([
    'no port belongs to the settings of listener partners: it needs edge.moreListeners and a new start',
    `edge-0 cannot carry out settings of a listener as they are: ${reason}`,
  ]);
});

test('a file that is right again is not in effect where an edge cannot carry it out', async () => {
  const { said, events, write } = await followed();
  await write('provisioning-0', refused);
  await events.look();
  await write('edge-0', { event: 'edge.listener.refused', listener: 'mx', reason: 'no port' });
  await events.look();
  await write('provisioning-0', applied);
  await events.look();
  expect(said.slice(-2)).toEqual([
    'edge-0 cannot carry out settings of a listener as they are: no port',
    'the operator settings are right again and in effect, but for what an edge cannot carry out (above)',
  ]);
});

test('rules that pods cannot use are told once, not once by each pod', async () => {
  const { said, events, write } = await followed();
  const stale = { event: 'edge.rules.stale', version: 4, reason: 'twice id: is used by another rule' };
  await write('edge-0', stale);
  await write('edge-1', stale);
  await events.look();
  expect(said).toEqual([
    "edge-0 cannot use the operator's newest rules and judges by those before them:",
    '  twice id: is used by another rule',
  ]);
});

test('half a line waits for the rest; a log put aside is read anew; what is no JSON is passed over', async () => {
  const { dir, said, events, write } = await followed();
  const file = join(dir, 'provisioning-0');
  const line = JSON.stringify(refused);
  await writeFile(file, `provisioning.operator_file.refused says nobody\n${line.slice(0, 60)}`);
  await events.look();
  expect(said).toEqual([]);
  await appendFile(file, `${line.slice(60)}\n`);
  await events.look();
  expect(said).toHaveLength(3);
  await rename(file, `${file}.1`);
  await write('provisioning-0', refused);
  await events.look();
  expect(said).toHaveLength(6);
});

test('of a log that grows faster than it is read the newest lines are met again', async () => {
  const { said, events, write } = await followed();
  const much = { event: 'edge.session.closed', text: 'x'.repeat(10_000) };
  await write('edge-0', ...Array.from({ length: 300 }, () => much));
  await events.look();
  await write('edge-0', { event: 'edge.rules.stale', reason: 'no' });
  await events.look();
  expect(said).toHaveLength(2);
});
