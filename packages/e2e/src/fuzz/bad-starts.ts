/**
 * Starts that must not succeed, as a table: wrong `--config` files, missing files they name, wrong options, a port in use, folders without rights.
 * What each must say of itself is beside it; bad-configuration.ts tries them.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

export interface BadStart {
  readonly name: string;
  readonly yaml?: string;
  readonly args?: readonly string[];
  /** All must be in what is said. */
  readonly says: readonly RegExp[];
  /** Mistakes in the file; several are a line each and one with the way out. */
  readonly mistakes?: number;
  /** Made before the start; undone after it. */
  readonly prepare?: (folder: string) => Promise<() => Promise<void>>;
}

export const portBase = 41_000;

const occupy = (port: number): Promise<() => Promise<void>> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(() => new Promise((done) => server.close(() => done()))));
  });

const file = /bad\.yaml(:\d+)?/;
const tenant = (text: string): string => `tenants:\n  - name: bad\n${text}`;

export const badStarts: readonly BadStart[] = [
  { name: 'port in use', says: [/41525/, /in use/], prepare: () => occupy(portBase + 525) },
  {
    name: 'no such file',
    args: ['--config', '/nowhere/at-all.yaml'],
    says: [/at-all\.yaml/, /ENOENT|no such|cannot be read/],
  },
  { name: 'data folder is a file', args: ['--data', '/dev/null'], says: [/\/dev\/null/] },
  { name: 'unknown option', args: ['--edgse', '2'], says: [/--edgse/] },
  { name: 'edges out of range', args: ['--edges', '99'], says: [/--edges/, /99/, /1 to 16/] },
  { name: 'edges no number', args: ['--edges', 'two'], says: [/--edges/, /two/, /whole number/] },
  { name: 'dns without port', args: ['--dns', '127.0.0.1'], says: [/--dns/, /HOST:PORT/] },
  { name: 'port base', args: ['--port-base', '80'], says: [/--port-base/, /80/, /600/] },
  { name: 'no YAML', yaml: 'limits: [1, 2\n', says: [file] },
  { name: 'not a map', yaml: '- 1\n- 2\n', says: [/bad\.yaml/, /map/] },
  { name: 'unknown section', yaml: 'limtis:\n  connections: 1\n', says: [file, /limtis/, /limits/] },
  { name: 'unknown key', yaml: 'limits:\n  conections: 1\n', says: [file, /limits\.conections/, /connections/] },
  { name: 'negative number', yaml: 'limits:\n  connections: -1\n', says: [file, /limits\.connections/, /-1/] },
  { name: 'text for a number', yaml: 'limits:\n  connections: many\n', says: [file, /limits\.connections/, /many/] },
  { name: 'bad duration', yaml: 'limits:\n  interval: 5 parsecs\n', says: [file, /limits\.interval/, /5 parsecs/] },
  { name: 'bad size', yaml: 'limits:\n  messageSize: 10 stones\n', says: [file, /limits\.messageSize/, /10 stones/] },
  { name: 'bad CIDR', yaml: 'trustedProxies: [10.0.0.0/33]\n', says: [file, /trustedProxies\[0\]/, /10\.0\.0\.0\/33/] },
  {
    name: 'bad enumeration',
    yaml: 'checks:\n  spf:\n    onFail: shout\n',
    says: [file, /checks\.spf\.onFail/, /shout/, /reject/],
  },
  {
    name: 'bad port of a next hop',
    yaml: 'nextHops:\n  x:\n    hosts: [{ host: h.test, port: 70000 }]\n',
    says: [file, /nextHops\.x\.hosts\[0\]\.port/, /70000/, /65535|65,535/],
  },
  { name: 'next hop without hosts', yaml: 'nextHops:\n  x: {}\n', says: [file, /nextHops\.x/, /hosts/] },
  {
    name: 'missing next hop',
    yaml: tenant('    domains: [{ name: bad.test, nextHop: nowhere }]\n'),
    says: [file, /nextHop/, /nowhere/],
  },
  {
    name: 'bad domain',
    yaml: tenant('    domains: [{ name: "not a domain" }]\n'),
    says: [file, /domains\[0\]\.name/, /not a domain/],
  },
  {
    name: 'domain of two tenants',
    yaml: `${tenant('    domains: [{ name: two.test }]\n')}  - name: worse\n    domains: [{ name: two.test }]\n`,
    says: [file, /two\.test/],
  },
  {
    name: 'user of another domain',
    yaml: tenant('    domains: [{ name: bad.test }]\n    users: [{ address: a@other.test }]\n'),
    says: [file, /a@other\.test/],
  },
  {
    name: 'password file missing',
    yaml: tenant(
      '    domains: [{ name: bad.test }]\n    users: [{ address: a@bad.test, passwordFile: /nowhere/pw }]\n',
    ),
    says: [file, /passwordFile/, /\/nowhere\/pw/],
  },
  {
    name: 'duplicate key',
    yaml: 'limits: { connections: 1 }\nlimits: { connections: 2 }\n',
    says: [file, /limits|unique|duplicate/i],
  },
  {
    name: 'unknown key of a service',
    yaml: 'edge:\n  inlineLimti: 1KiB\n',
    says: [file, /edge\.inlineLimti/, /inlineLimit/],
  },
  {
    name: 'bad value of a service',
    yaml: 'delivery:\n  concurrency: lots\n',
    says: [file, /delivery\.concurrency/, /lots/],
  },
  {
    name: 'bad condition of a rule',
    yaml: 'rules: [{ id: broken, event: mail, when: "1 +", then: [discard] }]\n',
    says: [file, /rules\[0\]\.when/, /1 \+/],
  },
  {
    name: 'a field that the start decides',
    yaml: 'provisioning: { operatorFile: /dev/null }\n',
    says: [file, /provisioning\.operatorFile/, /npm start/],
  },
  {
    name: 'rule with several mistakes',
    yaml: 'rules:\n  - name: broken\n    when: "1 +"\n',
    // What `when` may say hangs on the event, which is missing.
    mistakes: 4,
    says: [/rules\[0\]\.id/, /rules\[0\]\.event/, /rules\[0\]\.then/, /rules\[0\]\.name/, /Way out/],
  },
  {
    name: 'certificate without its key',
    yaml: 'edge: { tls: { certFile: /dev/null } }\n',
    says: [file, /edge\.tls\.keyFile: missing/],
  },
  ...[
    {
      field: 'nextHops.x.hosts[0].passwordFile',
      yaml: 'nextHops: { x: { hosts: [{ host: h.test, username: u, passwordFile: /nowhere/f }] } }',
    },
    {
      field: 'tenants[0].domains[0].dkim[0].keyFile',
      yaml: tenant('    domains: [{ name: bad.test, dkim: [{ selector: s, keyFile: /nowhere/f }] }]'),
    },
    {
      field: 'tenants[0].routes[0].hosts[0].passwordFile',
      yaml: tenant('    routes: [{ name: r, hosts: [{ host: h.test, username: u, passwordFile: /nowhere/f }] }]'),
    },
    { field: 'listeners.mx.tls.clientCaFile', yaml: 'listeners: { mx: { tls: { clientCaFile: /nowhere/f } } }' },
    {
      field: 'listeners.mx.tls.dhParametersFile',
      yaml: 'listeners: { mx: { tls: { dhParametersFile: /nowhere/f } } }',
    },
    { field: 'edge.tls.certFile', yaml: 'edge: { tls: { certFile: /nowhere/f, keyFile: /dev/null } }' },
    { field: 'edge.tls.keyFile', yaml: 'edge: { tls: { certFile: /dev/null, keyFile: /nowhere/f } }' },
    {
      field: 'edge.certificates[0].keyFile',
      yaml: 'edge: { certificates: [{ name: c, certFile: /dev/null, keyFile: /nowhere/f }] }',
    },
    { field: 'edge.ticketKeyFile', yaml: 'edge: { ticketKeyFile: /nowhere/f }' },
    { field: 'provisioning.sealKeyFile', yaml: 'provisioning: { sealKeyFile: /nowhere/f }' },
    { field: 'provisioning.tls.keyFile', yaml: 'provisioning: { tls: { certFile: /dev/null, keyFile: /nowhere/f } }' },
    { field: 'delivery.sealKeyFile', yaml: 'delivery: { sealKeyFile: /nowhere/f }' },
  ].map(({ field, yaml }) => ({
    name: `no file at ${field}`,
    yaml: `${yaml}\n`,
    says: [
      file,
      new RegExp(field.replaceAll(/[.[\]]/g, '\\$&')),
      /\/nowhere\/f/,
      /ENOENT|no such|cannot be read|does not exist/i,
    ],
  })),
  {
    name: 'data folder without rights',
    args: ['--data', '{folder}/locked/data'],
    says: [/No right|EACCES|locked/],
    prepare: async (folder) => {
      await mkdir(join(folder, 'locked'));
      await chmod(join(folder, 'locked'), 0o555);
      return () => chmod(join(folder, 'locked'), 0o755);
    },
  },
];
