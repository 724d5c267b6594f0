import { FakeClock, seededRandom } from '@postern/clock';
import { describe, expect, it } from 'vitest';
import type { ChallengeMaterial, CredentialAnswer, CredentialQuestion } from './credentials.js';
import { withLoginCache } from './login-cache.js';

const ask = (password: string, username = 'user@example.test'): CredentialQuestion => ({
  mechanism: 'PLAIN',
  username,
  parameters: { password: Buffer.from(password) },
  channelBinding: Buffer.alloc(0),
  sessionId: 's',
  clientAddress: '192.0.2.1',
});
const yes: CredentialAnswer = { kind: 'verified', user: 'user@example.test', tenant: 'acme', cached: false };
const material = async (): Promise<ChallengeMaterial> => ({ kind: 'unavailable', reason: 'test' });
const away: CredentialAnswer = { kind: 'unavailable', reason: 'test' };
const no: CredentialAnswer = { kind: 'denied', reason: 'test' };

function setUp(keepMs = 3_600_000) {
  const clock = new FakeClock();
  let answer: CredentialAnswer = yes;
  const port = withLoginCache(
    { verify: async () => answer, standing: () => Promise.reject(new Error('unused')), material },
    { clock, random: seededRandom(1), keepMs },
  );
  return { clock, verify: port.verify, say: (next: CredentialAnswer) => (answer = next) };
}

describe('login cache', () => {
  it('lets a login of the last hour go on while provisioning is away, with the same password only', async () => {
    const { clock, verify, say } = setUp();
    await verify(ask('secret'));
    say(away);
    expect(await verify(ask('secret'))).toMatchObject({ kind: 'verified', tenant: 'acme', cached: true });
    expect(await verify(ask('other'))).toEqual(away);
    expect(await verify(ask('secret', 'another@example.test'))).toEqual(away);
    clock.advanceSync(3_600_001);
    expect(await verify(ask('secret'))).toEqual(away);
  });

  it('never outlives a denial, and never answers while provisioning does', async () => {
    const { verify, say } = setUp();
    await verify(ask('secret'));
    say(no);
    expect(await verify(ask('secret'))).toEqual(no);
    say(away);
    expect(await verify(ask('secret'))).toEqual(away);
  });

  it('is off at 0', async () => {
    const { verify, say } = setUp(0);
    await verify(ask('secret'));
    say(away);
    expect(await verify(ask('secret'))).toEqual(away);
  });
});
