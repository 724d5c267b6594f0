/** What the pod says of its listeners: certificates whose files changed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeClock } from '@postern/clock';
import { parseDocument } from '@postern/config';
import { captureTelemetry } from '@postern/telemetry/testing';
import { testAuthority, withFolders } from '@postern/testkit';
import { expect, test } from 'vitest';
import { edgeConfig } from '../config.js';
import { edgeMetrics } from '../metrics.js';
import { MisconfigurationGuard } from '../misconfiguration.js';
import { Doubles } from '../testing/doubles.js';
import { PodListeners } from './listeners.js';

const folders = withFolders();
const authority = testAuthority();

test('a certificate that is replaced is told with its file and who shows it; the others are not', async () => {
  const folder = await folders.make('listeners');
  const write = async (name: string, host: string): Promise<void> => {
    const { key, cert } = authority.issue([host]);
    await writeFile(join(folder, `${name}.key`), key);
    await writeFile(join(folder, `${name}.pem`), cert);
  };
  const files = (name: string) => ({ certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) });
  const ticketKeyFile = join(folder, 'tickets');
  await Promise.all([
    write('main', 'mx.one.test'),
    write('two', 'mx.two.test'),
    writeFile(ticketKeyFile, 'a'.repeat(32)),
  ]);
  const listeners = ['mx', 'submissions'].map((name) => ({ name, role: name, address: '127.0.0.1:0' }));
  const settings = { listeners, tls: files('main'), certificates: [{ name: 'two', ...files('two') }], ticketKeyFile };
  const telemetry = captureTelemetry('edge', 'info');
  const clock = new FakeClock();
  const doubles = new Doubles();
  doubles.setSnapshot({
    listeners: [
      { name: 'mx', role: 'mx' },
      { name: 'submissions', role: 'submissions', tls: { certificates: ['two'] } },
    ],
  });
  const pod = new PodListeners({
    config: parseDocument(edgeConfig.fields.edge, settings, 'test'),
    clock,
    telemetry,
    metrics: edgeMetrics(telemetry.metrics),
    snapshot: () => doubles.snapshot,
  });
  await pod.readCertificates();
  await pod.open({
    services: doubles.services(),
    guard: new MisconfigurationGuard({ clock, onSuspected: () => undefined }),
    admit: async () => ({ kind: 'admitted', release: () => undefined }),
    enterPrelude: () => ({ kind: 'entered', leave: () => undefined }),
  });
  const told = () => telemetry.events('edge.certificate.replaced');
  await write('main', 'mx.new.test');
  await clock.advance(10_000);
  await expect.poll(told).toMatchObject([
    {
      certificate: 'default',
      file: files('main').certFile,
      listeners: ['mx'],
      expires: expect.stringMatching(/^\d{4}-/),
    },
  ]);
  await write('two', 'mx.new.test');
  await writeFile(ticketKeyFile, 'b'.repeat(32));
  await clock.advance(10_000);
  await expect.poll(told).toHaveLength(2);
  expect(told()[1]).toMatchObject({
    certificate: 'two',
    file: files('two').certFile,
    listeners: ['mx', 'submissions'],
  });
  expect(telemetry.events('edge.ticket_key.replaced')).toMatchObject([{ file: ticketKeyFile }]);
  pod.close();
  await pod.drain();
});
