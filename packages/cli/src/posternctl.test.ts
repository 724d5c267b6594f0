/** The linked program on an older Node hands over to the pinned one, with its arguments, its output and its exit code. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../bin/posternctl.mjs', import.meta.url));

/** This process says it is that Node, and can print nothing itself. */
const pretend = (version: string): string =>
  `data:text/javascript,${encodeURIComponent(
    `Object.defineProperty(process.versions, 'node', { value: '${version}' });
     process.stdout.write = () => { throw new Error('printed by the older one'); };`,
  )}`;

const run = (version: string, ...args: string[]) =>
  spawnSync(process.execPath, ['--import', pretend(version), bin, ...args], { encoding: 'utf8', timeout: 30_000 });

test.each(['20.11.0', '20.20.2', '22.18.0'])('on Node %s', (version) => {
  const help = run(version, 'trace', '--help');
  expect([help.stderr, help.status]).toEqual(['', 0]);
  expect(help.stdout).toContain('Usage: posternctl trace');
  expect(run(version, 'nosuch').status).not.toBe(0);
});

test('a Node that is new enough runs it itself', () => {
  expect(run('22.19.0', 'trace', '--help').stdout).toBe('');
});
