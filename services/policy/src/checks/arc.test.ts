import { expect, test } from 'vitest';
import { askContent, ground, settings } from '../testing/ground.js';

test('a message without a chain is none, a broken chain fails and is marked', async () => {
  const here = ground({ snapshot: settings({ arc: {} }) });
  const plain = await askContent(here, 'From: a@b.test\n\nbody\n', {});
  expect(plain.findings.find(({ check }) => check === 'arc')?.outcome).toBe('none');
  const broken = await askContent(here, 'ARC-Seal: i=1; a=rsa-sha256\nFrom: a@b.test\n\nbody\n', {});
  expect(broken.findings.find(({ check }) => check === 'arc')?.outcome).toBe('fail');
  const edit = broken.groups[0]?.rendering?.edits.find(({ name }) => name === 'Authentication-Results');
  expect(edit?.value).toContain('arc=fail');
});
