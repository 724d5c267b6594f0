import { FakeClock, systemClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { createAcceptor } from './acceptor.js';
import { gssapi } from './gssapi.js';
import type { Accepted, GssLibrary } from './library.js';
import { openKerberos } from './open.js';

const complete: Accepted = { major: 0, minor: 0, context: 7n, source: 8n, token: Buffer.alloc(0) };

/** A library whose answers are set; what is given back is noted. */
class ScriptedLibrary implements GssLibrary {
  readonly released: string[] = [];
  accepted: () => Promise<Accepted> = () => Promise.resolve(complete);
  /** What the client wraps in the end. */
  choice: Buffer = Buffer.from([1, 0, 0, 0]);
  acquire = () => ({ major: 0, minor: 0, credential: 1n });
  accept = () => this.accepted();
  displayName = () => 'bob@ACME.TEST';
  wrap = (_context: unknown, message: Buffer) => Promise.resolve({ major: 0, minor: 0, message });
  unwrap = () => Promise.resolve({ major: 0, minor: 0, message: this.choice });
  describe = ({ major, minor }: { major: number; minor: number }) => `${major}.${minor}`;
  deleteContext = () => void this.released.push('context');
  releaseName = (name: unknown) => void (name !== null && this.released.push('name'));
  releaseCredential = () => void this.released.push('credential');
}

const open = (library: GssLibrary, clock = systemClock, calls: string[] = []) =>
  createAcceptor({
    library,
    clock,
    store: { keytab: '/nowhere', replayCache: undefined },
    deadlineMs: 1_000,
    onCall: (outcome) => void calls.push(outcome),
  });

async function exchange(library: ScriptedLibrary, responses: readonly Buffer[]) {
  const rest = [...responses];
  return gssapi(Buffer.from('ticket'), async () => rest.shift() ?? 'cancelled', {
    hostname: 'mx.test',
    offersBinding: false,
    binding: () => undefined,
    nonce: () => '',
    material: () => Promise.reject(new Error('not asked')),
    kerberos: open(library),
  });
}

test.each([
  ['no identity', Buffer.from([1, 0, 0, 0]), ''],
  ['an identity', Buffer.from('\x01\x00\x10\x00bob@acme.test'), 'bob@acme.test'],
])('the client chooses no layer and gives %s', async (_name, choice, authzid) => {
  const library = new ScriptedLibrary();
  library.choice = choice;
  expect(await exchange(library, [Buffer.from('sealed')])).toEqual({
    kind: 'exchanged',
    username: 'bob@ACME.TEST',
    parameters: { principal: Buffer.from('bob@ACME.TEST'), authzid: Buffer.from(authzid) },
  });
});

test.each([
  ['a layer that was not offered', Buffer.from([4, 0, 16, 0])],
  ['two layers', Buffer.from([5, 0, 16, 0])],
  ['too little', Buffer.from([1, 0, 0])],
  ['an identity with a control character', Buffer.from('\x01\x00\x00\x00bob\n@acme.test')],
  ['an identity that never ends', Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.alloc(2_000, 'a')])],
])('%s is malformed', async (_name, choice) => {
  const library = new ScriptedLibrary();
  library.choice = choice;
  expect(await exchange(library, [Buffer.from('sealed')])).toEqual({ kind: 'malformed' });
});

test.each([
  ['no credentials here', 7 << 16, 2_529_639_093, 'unavailable'],
  ['a replay cache that cannot be written', 13 << 16, 2_529_639_100, 'unavailable'],
  ['a ticket that has expired', 13 << 16, 2_529_638_944, 'refused'],
  ['a replay', 13 << 16, 2_529_638_946, 'refused'],
  ['rubbish', 9 << 16, 0, 'refused'],
])('%s', async (_name, major, minor, kind) => {
  const library = new ScriptedLibrary();
  library.accepted = () => Promise.resolve({ ...complete, major, minor });
  expect(await exchange(library, [])).toMatchObject({ kind, reason: `kerberos: ${major}.${minor}` });
});

test('a client that never ends is ended', async () => {
  const library = new ScriptedLibrary();
  library.accepted = () => Promise.resolve({ ...complete, major: 1, token: Buffer.from('more') });
  const answer = await exchange(
    library,
    Array.from({ length: 100 }, () => Buffer.from('again')),
  );
  expect(answer).toEqual({ kind: 'malformed' });
});

test('a call beyond its deadline is unavailable, and all is given back when it ends', async () => {
  const clock = new FakeClock();
  const library = new ScriptedLibrary();
  const hung = Promise.withResolvers<Accepted>();
  library.accepted = () => hung.promise;
  const calls: string[] = [];
  const one = open(library, clock, calls).begin();
  library.released.length = 0;
  const step = one.step(Buffer.from('ticket'));
  await clock.advance(1_000);
  expect(await step).toMatchObject({ kind: 'unavailable' });
  one.close();
  await Promise.resolve();
  expect(library.released).toEqual([]);
  hung.resolve(complete);
  await expect.poll(() => library.released).toEqual(['context', 'name', 'credential']);
  expect(calls).toEqual(['late']);
});

test('more calls than may be under way are not made', async () => {
  const library = new ScriptedLibrary();
  const hung = Promise.withResolvers<Accepted>();
  library.accepted = () => hung.promise;
  const acceptor = open(library);
  const steps = Array.from({ length: 32 }, () => acceptor.begin().step(Buffer.from('ticket')));
  expect(await acceptor.begin().step(Buffer.from('ticket'))).toMatchObject({
    kind: 'unavailable',
    reason: 'kerberos: too many calls under way',
  });
  hung.resolve(complete);
  expect((await Promise.all(steps)).every(({ kind }) => kind === 'complete')).toBe(true);
  expect(await acceptor.begin().step(Buffer.from('ticket'))).toMatchObject({ kind: 'complete' });
});

const settings = {
  keytab: '/nowhere/keytab',
  replayCacheDirectory: undefined,
  libraryFile: 'libgssapi_krb5.so.2',
  clock: systemClock,
  deadlineMs: 1_000,
  onCall: () => undefined,
};

test('without the library there is no acceptor, and the reason names it', async () => {
  expect(await openKerberos({ ...settings, libraryFile: 'libgssapi-that-is-not.so' })).toEqual({
    kind: 'absent',
    reason: expect.stringContaining('libgssapi-that-is-not.so'),
  });
});

test('without a folder for the replay cache there is no acceptor, and the reason names setting and folder', async () => {
  expect(await openKerberos({ ...settings, replayCacheDirectory: '/nowhere/cache' })).toEqual({
    kind: 'absent',
    reason: expect.stringMatching(/^edge\.gssapi\.replayCacheDirectory: .*\/nowhere\/cache/),
  });
});
