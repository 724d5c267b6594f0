import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testAuthority } from '@postern/testkit';
import { expect, test } from 'vitest';
import { endingNotes } from './material-faults.js';

const day = 86_400_000;

test('certificates that are over or soon will be are worth a note, by the field that names them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-notes-'));
  const pair = { certFile: join(folder, 'c.pem'), keyFile: join(folder, 'k.pem') };
  const { cert } = testAuthority().issue(['mx.one.test']);
  await writeFile(pair.certFile, cert);
  const files = { tls: pair, certificates: [{ name: 'other', ...pair, certFile: join(folder, 'not-there.pem') }] };
  const notes = (days: number) =>
    endingNotes(files, Date.now() + days * day).map(({ path, message }) => [path, message]);
  expect(notes(10)).toEqual([]);
  expect(notes(20)).toEqual([[['edge', 'tls', 'certFile'], expect.stringMatching(/c\.pem" expires on 20\d\d-/)]]);
  expect(notes(40)).toEqual([
    [['edge', 'tls', 'certFile'], expect.stringMatching(/c\.pem" expired on .*: clients that verify refuse it/)],
  ]);
  await rm(folder, { recursive: true });
});
