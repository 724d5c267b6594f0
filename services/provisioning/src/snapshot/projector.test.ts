import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@postern/clock';
import { RecipientKind } from '@postern/proto/directory/v1/recipient';
import type { StreamConnection } from '@postern/stream';
import { withFolders, withNats, withPostgres } from '@postern/testkit';
import { afterEach, expect, test } from 'vitest';
import { hashPassword, verifyPassword } from '../credentials/password.js';
import { operatorScope } from '../database/tenant-scope.js';
import { RefusalNote } from '../operator/refusal.js';
import { eventually, openTestDatabase, openTestStreams, startProjector, type TestDatabase } from '../testing/ground.js';
import { noteRecipients, noteSnapshot } from './outbox.js';

const nats = withNats();
const postgres = withPostgres();
const folders = withFolders();
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function ground(): Promise<{ database: TestDatabase; connection: StreamConnection }> {
  const database = await openTestDatabase(postgres);
  const connection = await openTestStreams(nats);
  cleanups.push(database.close, async () => connection.close());
  return { database, connection };
}

async function begin(parts: { database: TestDatabase; connection: StreamConnection }, yaml: string) {
  const projector = await startProjector(parts.database, parts.connection, yaml);
  cleanups.push(projector.stop);
  await projector.settled;
  return projector;
}

const acme = (extra = '') => `
hostname: mx.example.test
defaultNextHop: mailbox
nextHops: { mailbox: { hosts: [{ host: 127.0.0.1, port: 2600, tls: none, username: relay, password: over-the-hop }] } }
relayNetworks: [{ network: 10.0.0.0/8, tenant: acme }]
tenants:
  - name: acme
    domains: [{ name: acme.test, nextHop: main }, { name: other.test }]
    routes: [{ name: main, hosts: [{ host: mail.acme.test, port: 24, protocol: lmtp, username: u, password: route-secret }] }]
    users: [{ address: Alice@ACME.test, password: wonderland-1 }, { address: abuse@acme.test }]
    aliases: [{ address: all@acme.test, targets: [alice@acme.test, bob@remote.test], group: true }]
${extra}`;

test('the operator file becomes a snapshot, recipients and sealed secrets', async () => {
  const projector = await begin(await ground(), acme());
  const snapshot = await projector.snapshot();
  expect(snapshot.hostname).toBe('mx.example.test');
  expect(snapshot.version).toBeGreaterThan(0);
  expect(snapshot.postmaster).toBe('postmaster@acme.test');
  expect(snapshot.domains.map((domain) => [domain.name, domain.nextHop, domain.tenant])).toEqual([
    ['acme.test', 'acme/main', 'acme'],
    ['other.test', 'mailbox', 'acme'],
  ]);
  expect(snapshot.nextHops.map((hop) => [hop.name, hop.hosts[0]?.passwordSecret])).toEqual([
    ['mailbox', 'route.system.mailbox.0'],
    ['acme/main', 'route.acme.main.0'],
  ]);
  expect(snapshot.listeners.find((listener) => listener.name === 'submission')).toMatchObject({
    requireTls: true,
    requireAuth: true,
  });
  expect(await projector.recipient('alice@acme.test')).toMatchObject({
    tenant: 'acme',
    kind: RecipientKind.USER,
    enabled: true,
  });
  expect(await projector.recipient('all@acme.test')).toMatchObject({
    kind: RecipientKind.GROUP,
    targets: ['alice@acme.test', 'bob@remote.test'],
  });
  expect(await projector.recipient('postmaster@other.test')).toMatchObject({
    kind: RecipientKind.USER,
    tenant: 'acme',
  });
  expect(await projector.recipient('nobody@acme.test')).toBeUndefined();
  const sealed = (await projector.secrets.get('route.acme.main.0'))?.value ?? Buffer.alloc(0);
  expect(projector.sealer.open('acme', sealed)).toBe('route-secret');
  expect(projector.sealer.open('other', sealed)).toBeUndefined();
  expect(Buffer.from(sealed).includes('route-secret')).toBe(false);
});

test('a change of the file is live in under two seconds; a bad one is refused and the old stays', async () => {
  const projector = await begin(await ground(), acme());
  const before = (await projector.snapshot()).version;
  await writeFile(projector.operatorFile, acme('limits: { connections: 77 }\npostmaster: ops@acme.test'));
  await eventually(2_000, async () => (await projector.snapshot()).limits?.connections === 77);
  expect((await projector.snapshot()).version).toBe(before + 1);
  await eventually(
    2_000,
    async () => (await projector.recipient('postmaster@other.test'))?.targets[0] === 'ops@acme.test',
  );
  expect((await projector.recipient('abuse@acme.test'))?.kind).toBe(RecipientKind.USER);

  await writeFile(projector.operatorFile, acme('limits: { conections: 5 }'));
  await eventually(2_000, async () =>
    projector.lines.some((line) => line.event === 'provisioning.operator_file.refused'),
  );
  const line = projector.lines.find((entry) => entry.event === 'provisioning.operator_file.refused');
  expect(String(line?.error)).toMatch(
    /operator\.yaml:\d+: limits\.conections: unknown key; did you mean connections\?/,
  );
  expect((await projector.snapshot()).limits?.connections).toBe(77);
  expect(await projector.refusal.current()).toMatchObject({
    problems: [
      expect.stringMatching(/operator\.yaml:\d+: limits\.conections: unknown key; did you mean connections\?/),
    ],
  });
  await writeFile(projector.operatorFile, acme('limits: { connections: 78 }'));
  await eventually(2_000, async () => (await projector.refusal.current()) === undefined);
});

test('a file whose rule has the id of a saved one is refused by name, the old one stays; with another id it is taken', async () => {
  const parts = await ground();
  const projector = await begin(parts, acme());
  const saved = '{ "event": "rcpt", "then": ["discard"] }';
  await parts.database.withTenant(operatorScope, (tx) =>
    tx.run(
      "INSERT INTO rules (tenant, scope, id, document, source) VALUES ('', '', 'twice', $1::jsonb, ''), ('acme', 'acme.test', 'own', $1::jsonb, '')",
      [saved],
    ),
  );
  const rules = (...ids: string[]) =>
    acme(
      `rules:\n${ids
        .map((id, index) => {
          const owner = index === 0 ? '' : 'tenant: acme, scope: ACME.test, ';
          return `  - { ${owner}id: ${id}, event: rcpt, then: [{ tag: { name: file } }] }`;
        })
        .join('\n')}`,
    );
  await writeFile(projector.operatorFile, rules('twice', 'own'));
  const refusals = () =>
    projector.lines
      .filter((line) => line.event === 'provisioning.operator_file.refused')
      .map((line) => String(line.error));
  await eventually(2_000, async () => refusals().length > 0);
  const way = 'saved through the API already; expected another id, or that rule deleted';
  expect(refusals()[0]).toContain(`rules[0].id: "twice" is the id of a rule of the server ${way}`);
  expect(refusals()[0]).toContain(`rules[1].id: "own" is the id of a rule of tenant acme ${way}`);
  expect((await projector.snapshot()).rules).toEqual([]);
  // Whichever pod is asked.
  const elsewhere = new RefusalNote(parts.database.withTenant, systemClock);
  await eventually(2_000, async () => (await elsewhere.current())?.problems.length === 2);
  await writeFile(projector.operatorFile, rules('once', 'other'));
  await eventually(2_000, async () => (await projector.snapshot()).rules.length === 4);
  await eventually(2_000, async () => (await elsewhere.current()) === undefined);
});

test('a rule of the file may name a route of a tenant, of the file or saved; one that is not there is refused by name', async () => {
  const parts = await ground();
  const projector = await begin(parts, acme());
  await parts.database.withTenant(operatorScope, (tx) =>
    tx.run(
      `INSERT INTO routes (tenant, name, hosts) VALUES ('acme', 'saved', '[{"host":"saved.test","port":25,"protocol":"smtp","tls":"none","username":""}]')`,
    ),
  );
  const rules = (to: string, login: string) =>
    acme(`rules:
  - { id: a, event: relay, then: [{ route: { to: ${to} } }] }
  - { id: b, event: relay, then: [discard, { route: { host: a.test, login: ${login} } }] }`);
  const refusals = () =>
    projector.lines
      .filter((line) => line.event === 'provisioning.operator_file.refused')
      .map((line) => String(line.error));
  await writeFile(projector.operatorFile, rules('acme/saved', 'acme/mian'));
  await eventually(2_000, async () => refusals().length > 0);
  expect(refusals()[0]).toContain(
    'rules[1].then[1].route.login: "acme/mian" is not allowed; expected one of acme/saved, acme/main',
  );
  expect((await projector.snapshot()).rules).toEqual([]);
  await writeFile(projector.operatorFile, rules('acme/saved', 'acme/main'));
  await eventually(2_000, async () => (await projector.snapshot()).rules.length === 2);
});

test('a file that names a tenant nobody made is refused by field; one made through the API is known', async () => {
  const parts = await ground();
  const projector = await begin(parts, acme());
  const naming = (tenant: string) => acme().replace('tenant: acme }]', `tenant: ${tenant} }]`);
  const refusals = () => projector.lines.filter((line) => line.event === 'provisioning.operator_file.refused');
  await writeFile(projector.operatorFile, naming('guests'));
  await eventually(2_000, async () => refusals().length > 0);
  expect(String(refusals()[0]?.error)).toMatch(
    /operator\.yaml: relayNetworks\[0\]\.tenant: "guests" is no tenant; expected one that is there/,
  );
  expect((await projector.snapshot()).relayNetworks[0]?.tenant).toBe('acme');
  await parts.database.withTenant(operatorScope, (tx) => tx.run("INSERT INTO tenants (name) VALUES ('guests')", []));
  await writeFile(projector.operatorFile, `${naming('guests')}\nlimits: { connections: 78 }`);
  await eventually(2_000, async () => (await projector.snapshot()).relayNetworks[0]?.tenant === 'guests');
});

test('a file that was refused for a tenant nobody made is in effect when it is made, and told once; another change in between does no harm', async () => {
  const parts = await ground();
  const projector = await begin(parts, acme());
  const naming = acme('limits: { connections: 79 }').replace('tenant: acme }]', 'tenant: late }]');
  const told = (event: string) =>
    projector.lines.filter((line) => line.event === `provisioning.operator_file.${event}`);
  const make = (name: string) =>
    parts.database.withTenant(operatorScope, async (tx) => {
      await tx.run('INSERT INTO tenants (name) VALUES ($1)', [name]);
      await noteSnapshot(tx, name);
    });
  await writeFile(projector.operatorFile, naming);
  await eventually(2_000, async () => (await projector.refusal.current()) !== undefined);
  const since = (await projector.refusal.current())?.atMs;
  await make('other');
  await eventually(9_000, async () => (await projector.snapshot()).tenants.some(({ name }) => name === 'other'));
  await make('late');
  await eventually(9_000, async () => (await projector.snapshot()).relayNetworks[0]?.tenant === 'late');
  expect((await projector.snapshot()).limits?.connections).toBe(79);
  await eventually(2_000, async () => (await projector.refusal.current()) === undefined);
  expect(told('refused')).toHaveLength(1);
  expect(told('applied')).toHaveLength(2);
  expect(since).toBeGreaterThan(0);
}, 30_000);

test('an unchanged file publishes nothing new when the service starts again', async () => {
  const parts = await ground();
  const first = await begin(parts, acme());
  const { version } = await first.snapshot();
  await parts.database.withTenant('acme', (tx) =>
    tx.run("UPDATE users SET disabled = true WHERE address = 'alice@acme.test'"),
  );
  await first.stop();
  const second = await begin(parts, acme());
  expect((await second.snapshot()).version).toBe(version);
  await second.stop();
  // Another part of the tenant changes: who was disabled through the API stays so.
  const third = await begin(parts, acme().replace('other.test', 'third.test'));
  expect((await third.snapshot()).domains.map((domain) => domain.name)).toContain('third.test');
  const alice = await parts.database.admin.query("SELECT disabled FROM config.users WHERE address = 'alice@acme.test'");
  expect(alice.rows[0]).toEqual({ disabled: true });
  const users = await parts.database.admin.query('SELECT address, version FROM config.users ORDER BY address');
  expect(users.rows.map((row) => row.version)).toEqual(['1', '1']);
});

test('the operator file sets a password when the file says another one than before, not when somebody has changed it since', async () => {
  const parts = await ground();
  const dir = await folders.make('passwords');
  const passwordFile = join(dir, 'carol.password');
  const file = (more = '') => `
tenants:
  - name: acme
    domains: [{ name: acme.test }]
    users: [{ address: carol@acme.test, passwordFile: ${passwordFile} }${more}]
`;
  const isSet = async (password: string): Promise<boolean> => {
    const { rows } = await parts.database.admin.query('SELECT password FROM config.users WHERE address = $1', [
      'carol@acme.test',
    ]);
    return verifyPassword(password, rows[0]?.password);
  };
  const changeByApi = async (password: string): Promise<void> => {
    const verifiers = await hashPassword(password, systemRandom);
    await parts.database.admin.query('UPDATE config.users SET password = $1', [verifiers.password]);
  };
  await writeFile(passwordFile, 'the first one\n');
  const first = await begin(parts, file());
  expect(await isSet('the first one')).toBe(true);

  await changeByApi('her own choice');
  await writeFile(first.operatorFile, file(', { address: dave@acme.test }'));
  await eventually(5_000, async () => (await first.recipient('dave@acme.test')) !== undefined);
  expect(await isSet('her own choice')).toBe(true);
  await first.stop();

  const second = await begin(parts, file());
  expect(await isSet('her own choice')).toBe(true);
  await writeFile(passwordFile, 'the second one\n');
  await eventually(8_000, () => isSet('the second one'));
  await second.stop();

  await writeFile(passwordFile, 'the third one\n');
  await begin(parts, file());
  expect(await isSet('the third one')).toBe(true);
}, 40_000);

test('a committed change is published within 500 ms, ten thousand recipients within seconds', async () => {
  const parts = await ground();
  const projector = await begin(parts, acme());
  const { withTenant } = parts.database;
  await withTenant('acme', async (tx) => {
    await tx.run("UPDATE domains SET catch_all = 'alice@acme.test' WHERE name = 'other.test'");
    await noteSnapshot(tx, 'acme');
  });
  const catchAll = async () =>
    (await projector.snapshot()).domains.find((domain) => domain.name === 'other.test')?.catchAll;
  expect(await eventually(2_000, async () => (await catchAll()) === 'alice@acme.test')).toBeLessThan(500);

  await withTenant('acme', async (tx) => {
    await tx.run(
      "INSERT INTO users (address, domain, tenant) SELECT 'u' || n || '@acme.test', 'acme.test', 'acme' FROM generate_series(1, 10000) n",
    );
    await noteRecipients(
      tx,
      'acme',
      Array.from({ length: 10_000 }, (_, n) => `u${n + 1}@acme.test`),
    );
  });
  const took = await eventually(20_000, async () => (await projector.recipient('u10000@acme.test')) !== undefined);
  process.stderr.write(`10,000 recipients in ${Math.round(took)} ms\n`);
  await withTenant('acme', async (tx) => {
    await tx.run("DELETE FROM users WHERE address = 'u5@acme.test'");
    await noteRecipients(tx, 'acme', ['u5@acme.test']);
  });
  await eventually(2_000, async () => (await projector.recipient('u5@acme.test')) === undefined);
}, 60_000);

test('what another pod committed while nobody led is published by the next leader', async () => {
  const parts = await ground();
  const first = await begin(parts, acme());
  await first.stop();
  await parts.database.withTenant('acme', async (tx) => {
    await tx.run("INSERT INTO users (address, domain, tenant) VALUES ('late@acme.test', 'acme.test', 'acme')");
    await noteRecipients(tx, 'acme', ['late@acme.test']);
  });
  const second = await begin(parts, acme());
  expect(await second.recipient('late@acme.test')).toMatchObject({ tenant: 'acme' });
  const left = await parts.database.admin.query('SELECT count(*)::int AS n FROM config.outbox');
  expect(left.rows[0]).toEqual({ n: 0 });
});

test('a start with a file that takes the domain of another tenant goes on with the file before, and says so', async () => {
  const parts = await ground();
  const first = await begin(parts, acme());
  await first.stop();
  const thief = await startProjector(
    parts.database,
    parts.connection,
    'tenants: [{ name: thief, domains: [{ name: acme.test }] }]',
  );
  cleanups.push(thief.stop);
  await thief.settled;
  expect((await thief.refusal.current())?.problems).toEqual([
    expect.stringMatching(/tenants\.thief\.domains: "acme\.test" belongs to tenant acme already/),
  ]);
  expect(await thief.snapshot()).toMatchObject({ hostname: 'mx.example.test', tenants: [{ name: 'acme' }] });
});

test('of two pods one publishes; the other takes over when it is gone', async () => {
  const parts = await ground();
  const first = await begin(parts, acme());
  const second = await startProjector(parts.database, parts.connection, acme('limits: { connections: 5 }'));
  cleanups.push(second.stop);
  await parts.database.withTenant('acme', async (tx) => {
    await tx.run("INSERT INTO users (address, domain, tenant) VALUES ('new@acme.test', 'acme.test', 'acme')");
    await noteRecipients(tx, 'acme', ['new@acme.test']);
  });
  await eventually(2_000, async () => (await first.recipient('new@acme.test')) !== undefined);
  expect(second.lines.map((line) => line.event)).not.toContain('provisioning.leadership.gained');
  const { version } = await first.snapshot();
  await first.stop();
  await second.settled;
  const after = await second.snapshot();
  expect([after.version, after.limits?.connections]).toEqual([version + 1, 5]);
});

test('a directory that was lost is written again, a database that was replaced continues the versions', async () => {
  const parts = await ground();
  const first = await begin(parts, acme());
  const { version } = await first.snapshot();
  await first.stop();
  await first.directory.delete('d.epoch');
  await parts.database.admin.query('UPDATE config.snapshot_version SET version = 0');
  const second = await begin(parts, acme('limits: { connections: 9 }'));
  expect((await second.snapshot()).version).toBe(version + 1);
  expect((await second.directory.get('d.epoch'))?.value).toBeDefined();
  expect(second.lines.map((line) => line.event)).toContain('provisioning.directory.rebuilt');
});

test('a rule for a part of another tenant is refused, one for a part nobody has is in effect and told', async () => {
  const parts = await ground();
  const projector = await begin(parts, acme());
  const told = (event: string) =>
    projector.lines.filter((line) => line.event === `provisioning.operator_file.${event}`);
  await parts.database.withTenant(operatorScope, async (tx) => {
    await tx.run("INSERT INTO tenants (name) VALUES ('guests')", []);
    await tx.run(
      "INSERT INTO domains (name, tenant, verified, verification) VALUES ('guests.test', 'guests', true, '')",
      [],
    );
  });
  const rule = (scope: string) =>
    acme(`rules: [{ id: a, tenant: acme, scope: ${scope}, event: rcpt, then: [discard] }]`);
  await writeFile(projector.operatorFile, rule('guests.test'));
  await eventually(2_000, async () => told('refused').length > 0);
  expect(String(told('refused')[0]?.error)).toMatch(
    /rules\[0\]\.scope: "guests\.test" is not allowed; .*: guests\.test is tenant guests's/,
  );
  await writeFile(projector.operatorFile, rule('nobody@acme.test'));
  await eventually(2_000, async () => (await projector.snapshot()).rules.length === 1);
  expect(told('noted')[0]?.notes).toEqual([
    expect.stringMatching(/^rules\[0\]\.scope: tenant acme has no user "nobody@acme\.test"; until it has/),
  ]);
});

test('where neither file nor host name names a domain, postmaster stays with the one that took mail first', async () => {
  const parts = await ground();
  const projector = await begin(parts, 'hostname: mx.example.test');
  expect((await projector.snapshot()).postmaster).toBe('');
  const change = async (statement: string): Promise<string> => {
    await parts.database.withTenant(operatorScope, async (tx) => {
      await tx.run(statement, []);
      await noteSnapshot(tx, 'one');
    });
    const { version } = await projector.snapshot();
    await eventually(2_000, async () => (await projector.snapshot()).version > version);
    return (await projector.snapshot()).postmaster;
  };
  const add = (name: string, verified: boolean, days: number): string =>
    `INSERT INTO domains (name, tenant, verified, verification, created_at) VALUES ('${name}', 'one', ${verified}, '', now() - interval '${days} days')`;
  await parts.database.withTenant(operatorScope, async (tx) => {
    await tx.run("INSERT INTO tenants (name) VALUES ('one')", []);
    await tx.run(add('waits.test', false, 9), []);
  });
  expect(await change(add('first.test', true, 2))).toBe('postmaster@first.test');
  expect(await change(add('aaa.test', true, 1))).toBe('postmaster@first.test');
  expect(await change("UPDATE domains SET verified = true, verified_at = now() WHERE name = 'waits.test'")).toBe(
    'postmaster@first.test',
  );
  expect(await change("DELETE FROM domains WHERE name = 'first.test'")).toBe('postmaster@aaa.test');
});

test('a postmaster nobody has is taken and told', async () => {
  const projector = await begin(await ground(), acme('postmaster: nobody@acme.test'));
  expect((await projector.snapshot()).postmaster).toBe('nobody@acme.test');
  const notes = () => projector.lines.find((line) => line.event === 'provisioning.operator_file.noted')?.notes;
  await eventually(2_000, async () => notes() !== undefined);
  expect(notes()).toEqual([
    'postmaster: nobody@acme.test: acme.test has no such user or alias yet; until it has, mail for postmaster without a domain, and for postmaster@ and abuse@ that lead there, fails',
  ]);
});
