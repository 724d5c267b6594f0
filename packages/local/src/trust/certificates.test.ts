import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findOnPath } from '../servers/find-binary.js';
import { type CertificateFiles, ensureCertificates } from './certificates.js';

let dir = '';
let files: CertificateFiles;
const now = new Date();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-certificates-'));
  files = await ensureCertificates(dir, ['mail.demo.test'], now);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.each(['mail.demo.test', 'localhost', '127.0.0.1', '::1'])(
  'a client that trusts the authority accepts %s',
  async (name) => {
    const server = createServer({ cert: await readFile(files.certificateFile), key: await readFile(files.keyFile) });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const ca = await readFile(files.caFile);
    try {
      await new Promise<void>((resolve, reject) => {
        const servername = /[a-z]/.test(name) ? { servername: name } : {};
        const client = connect(
          {
            port,
            host: '127.0.0.1',
            ca,
            ...servername,
            checkServerIdentity: (_host, certificate) =>
              certificate.subjectaltname?.includes(name === '::1' ? '0:0:0:0:0:0:0:1' : name) === true
                ? undefined
                : new Error('name missing'),
          },
          () => {
            client.end();
            resolve();
          },
        );
        client.once('error', reject);
      });
    } finally {
      server.close();
    }
  },
);

test('openssl, where the machine has it, verifies the chain strictly', async ({ skip }) => {
  const openssl = await findOnPath('openssl');
  if (openssl === undefined) return skip('no openssl here');
  const { stdout } = await promisify(execFile)(openssl, [
    'verify',
    '-x509_strict',
    '-purpose',
    'sslserver',
    '-CAfile',
    files.caFile,
    files.certificateFile,
  ]);
  expect(stdout).toContain('OK');
});

test('a second call keeps the files; thirty days before the end the server certificate is renewed', async () => {
  const before = await readFile(files.certificateFile, 'utf8');
  await ensureCertificates(dir, ['mail.demo.test'], now);
  expect(await readFile(files.certificateFile, 'utf8')).toBe(before);
  const authority = await readFile(files.caFile, 'utf8');
  await ensureCertificates(dir, ['mail.demo.test'], new Date(now.getTime() + 370 * 86_400_000));
  expect(await readFile(files.certificateFile, 'utf8')).not.toBe(before);
  expect(await readFile(files.caFile, 'utf8')).toBe(authority);
});
