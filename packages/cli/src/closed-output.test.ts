import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

test('whoever stops reading hears no complaint', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'bin', 'posternctl.mjs'), '--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const said = text(child.stderr);
  const [code] = await once(child, 'exit');
  expect(await said).toBe('');
  expect(code).toBe(0);
});
