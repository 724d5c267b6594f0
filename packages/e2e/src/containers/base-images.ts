/**
 * Stand-ins for images of a registry that cannot be reached, under the real names, made of Debian packages: they let the
 * project's own Dockerfile and compose file run as they are. What they do not prove: the upstream images' own entry points,
 * users and paths.
 */
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findMirror, sharedCache } from '@postern/local';
import type { Run } from './command.js';

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

interface Tree {
  readonly name: string;
  readonly suite: string;
  readonly packages: readonly string[];
}

const nodeTree: Tree = { name: 'base-node', suite: 'bookworm', packages: ['ca-certificates'] };
const storesTree: Tree = {
  name: 'base-stores',
  suite: 'trixie',
  packages: ['nats-server', 'redis-server', 'redis-tools', 'postgresql-17', 'wget'],
};

/** The unpacked system as a tar file, kept between runs. */
async function systemTar(run: Run, tree: Tree, folder: string, say: (line: string) => void): Promise<string> {
  const tar = join(sharedCache().dir, `${tree.name}.tar`);
  if (await exists(tar)) return tar;
  const mirror = await findMirror('bookworm');
  if (mirror === undefined) throw new Error('the apt sources of this machine name no mirror of bookworm');
  say(`making a ${tree.suite} system with ${tree.packages.join(' ')}`);
  const root = join(folder, tree.name);
  const include = `--include=${tree.packages.join(',')}`;
  await run('debootstrap', ['--variant=minbase', include, tree.suite, root, mirror.uri], { timeoutMs: 600_000 });
  await rm(join(root, 'var', 'cache', 'apt'), { recursive: true, force: true });
  await rm(join(root, 'var', 'lib', 'apt', 'lists'), { recursive: true, force: true });
  await mkdir(sharedCache().dir, { recursive: true });
  await run('tar', ['-C', root, '--exclude=./dev/*', '-cf', `${tar}.new`, '.']);
  await rename(`${tar}.new`, tar);
  await rm(root, { recursive: true, force: true });
  return tar;
}

/** An image of `FROM scratch`, a tar and what `steps` say. */
async function buildImage(
  run: Run,
  folder: string,
  name: string,
  tar: string,
  steps: readonly string[],
): Promise<void> {
  const changes = steps.flatMap((step) => ['--change', step]);
  await run('docker', ['import', ...changes, tar, name], { timeoutMs: 300_000, cwd: folder });
}

/** Files laid over an image, each owned by root. */
async function layOver(run: Run, folder: string, from: string, name: string, steps: readonly string[]): Promise<void> {
  await writeFile(join(folder, 'Dockerfile'), [`FROM ${from}`, ...steps, ''].join('\n'));
  await run('docker', ['build', '--tag', name, folder], { timeoutMs: 300_000 });
}

async function nodeImage(run: Run, folder: string, nodeBinary: string, say: (line: string) => void): Promise<void> {
  const tar = await systemTar(run, nodeTree, folder, say);
  await buildImage(run, folder, 'substitute/base-node', tar, ['CMD ["bash"]']);
  const context = join(folder, 'node');
  // Beside its own program, wherever the machine keeps it: the pinned Node brings no npm.
  const npm = dirname(dirname((await run('sh', ['-c', 'realpath "$(command -v npm)"'])).trim()));
  const registry = (await run('npm', ['config', 'get', 'registry'])).trim();
  await mkdir(join(context, 'bin'), { recursive: true });
  await mkdir(join(context, 'lib', 'node_modules'), { recursive: true });
  await mkdir(join(context, 'etc'), { recursive: true });
  await cp(nodeBinary, join(context, 'bin', 'node'), { dereference: true });
  await chmod(join(context, 'bin', 'node'), 0o755);
  await cp(npm, join(context, 'lib', 'node_modules', 'npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(context, 'bin', 'npm'));
  await symlink('../lib/node_modules/npm/bin/npx-cli.js', join(context, 'bin', 'npx'));
  await writeFile(join(context, 'etc', 'npmrc'), `registry=${registry}\n`);
  await cp('/etc/ssl/certs/ca-certificates.crt', join(context, 'ca-certificates.crt'), { dereference: true });
  await layOver(run, context, 'substitute/base-node', 'node:24-bookworm-slim', [
    'COPY bin /usr/local/bin/',
    'COPY lib /usr/local/lib/',
    'COPY etc /usr/local/etc/',
    'COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt',
    'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
    'RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --create-home node',
    'CMD ["node"]',
  ]);
}

const natsEntry = '#!/bin/sh\nexec nats-server "$@"\n';
const redisEntry = '#!/bin/sh\nexec setpriv --reuid=redis --regid=redis --clear-groups "$@"\n';
const postgresEntry = `#!/bin/sh
set -e
mkdir -p "$PGDATA" && chown postgres "$PGDATA" && chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -o postgres -m 600 "$POSTGRES_PASSWORD_FILE" /tmp/password
  setpriv --reuid=postgres --regid=postgres --init-groups initdb --username=postgres --pwfile=/tmp/password --auth=scram-sha-256 -D "$PGDATA"
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"
`;

async function storeImages(run: Run, folder: string, say: (line: string) => void): Promise<void> {
  const tar = await systemTar(run, storesTree, folder, say);
  await buildImage(run, folder, 'substitute/base-stores', tar, ['CMD ["bash"]']);
  const images = [
    { name: 'nats:2.12-alpine', entry: natsEntry, steps: ['VOLUME /data', 'WORKDIR /'] },
    {
      name: 'redis:7.4',
      entry: redisEntry,
      steps: ['RUN mkdir -p /data && chown redis /data', 'VOLUME /data', 'WORKDIR /data'],
    },
    {
      name: 'postgres:17',
      entry: postgresEntry,
      steps: [
        'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data',
        'RUN mkdir -p /var/run/postgresql && chown postgres /var/run/postgresql',
        'VOLUME /var/lib/postgresql/data',
        'STOPSIGNAL SIGINT',
        'CMD ["postgres", "-c", "listen_addresses=*"]',
      ],
    },
  ];
  for (const { name, entry, steps } of images) {
    const context = join(folder, name.replace(':', '-'));
    await mkdir(context, { recursive: true });
    await writeFile(join(context, 'entrypoint.sh'), entry, { mode: 0o755 });
    await layOver(run, context, 'substitute/base-stores', name, [
      'COPY entrypoint.sh /usr/local/bin/docker-entrypoint.sh',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      ...steps,
    ]);
  }
}

/** Base images the compose file and the Dockerfile name, read from them so that none is forgotten. */
export async function namedImages(projectRoot: string): Promise<string[]> {
  const dockerfile = await readFile(join(projectRoot, 'deploy', 'Dockerfile'), 'utf8');
  const compose = await readFile(join(projectRoot, 'docker-compose.yml'), 'utf8');
  const stages = [...dockerfile.matchAll(/^FROM \S+ AS (\S+)/gm)].map((match) => match[1]);
  const found = [
    ...[...dockerfile.matchAll(/^FROM (\S+)/gm)]
      .map((match) => match[1] ?? '')
      .filter((name) => !stages.includes(name)),
    ...[...compose.matchAll(/^\s+image: (\S+)/gm)]
      .map((match) => match[1] ?? '')
      .filter((name) => !name.startsWith('postern/')),
  ];
  return [...new Set(found)].sort();
}

/** Make every stand-in; `wanted` that none stands in for is an error. */
export async function substituteImages(
  run: Run,
  folder: string,
  wanted: readonly string[],
  nodeBinary: string,
  say: (line: string) => void,
): Promise<void> {
  const known = ['nats:2.12-alpine', 'node:24-bookworm-slim', 'postgres:17', 'redis:7.4'];
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no stand-in for ${unknown.join(', ')}; give it one in base-images.ts`);
  await nodeImage(run, folder, nodeBinary, say);
  await storeImages(run, folder, say);
}
