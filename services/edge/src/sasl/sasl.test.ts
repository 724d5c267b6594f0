import { describe, expect, it } from 'vitest';
import { login } from './login.js';
import type { Mechanism, SaslContext, SaslResponse } from './mechanism.js';
import { plain } from './plain.js';

const context: SaslContext = {
  hostname: 'mail.test',
  offersBinding: false,
  binding: () => undefined,
  nonce: () => 'nonce',
  material: async () => ({ kind: 'unavailable', reason: 'not asked' }),
};

async function exchange(mechanism: Mechanism, initial: string | undefined, ...responses: (string | SaslResponse)[]) {
  const challenges: string[] = [];
  const result = await mechanism(
    initial === undefined ? undefined : Buffer.from(initial),
    async (data) => {
      challenges.push(data.toString());
      const next = responses.shift() ?? 'cancelled';
      return next === 'cancelled' || next === 'malformed' || typeof next !== 'string' ? next : Buffer.from(next);
    },
    context,
  );
  const password = 'parameters' in result ? result.parameters.password?.toString() : undefined;
  return { kind: result.kind, user: 'username' in result ? result.username : undefined, password, challenges };
}

describe('PLAIN', () => {
  it.each([
    ['without authzid', '\0user@a\0secret', 'exchanged'],
    ['authzid equal', 'user@a\0user@a\0secret', 'exchanged'],
    ['authzid of another', 'boss@a\0user@a\0secret', 'refused'],
    ['no NUL', 'secret', 'malformed'],
    ['three NULs', '\0user\0sec\0ret', 'malformed'],
    ['no name', '\0\0secret', 'malformed'],
    ['no password', '\0user\0', 'malformed'],
    ['control character in the name', '\0us\ner\0secret', 'malformed'],
    ['name too long', `\0${'u'.repeat(2_000)}\0secret`, 'malformed'],
  ])('%s', async (_name, message, kind) => {
    expect((await exchange(plain, message)).kind).toBe(kind);
    expect(await exchange(plain, undefined, message)).toMatchObject({ kind, challenges: [''] });
  });

  it('refuses a name that is no UTF-8', async () => {
    const result = await plain(Buffer.from([0, 0xff, 0xfe, 0, 0x61]), async () => 'cancelled', context);
    expect(result.kind).toBe('malformed');
  });
});

describe('LOGIN', () => {
  it('asks for both in turn', async () => {
    expect(await exchange(login, undefined, 'user@a', 'secret')).toEqual({
      kind: 'exchanged',
      user: 'user@a',
      password: 'secret',
      challenges: ['Username:', 'Password:'],
    });
  });

  it('takes the name as initial response', async () => {
    expect(await exchange(login, 'user@a', 'secret')).toMatchObject({ kind: 'exchanged', challenges: ['Password:'] });
  });

  it.each([
    ['cancelled at the name', ['cancelled'], 'cancelled'],
    ['cancelled at the password', ['user@a', 'cancelled'], 'cancelled'],
    ['malformed password', ['user@a', 'malformed'], 'malformed'],
    ['empty password', ['user@a', ''], 'malformed'],
  ] as const)('%s', async (_name, responses, kind) => {
    expect((await exchange(login, undefined, ...responses)).kind).toBe(kind);
  });
});
