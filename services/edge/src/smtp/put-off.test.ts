/** What a client has sent behind a command we put off (RFC 2920 §3.1): out of order, but no error of its own. */
import { FakeClock } from '@postern/clock';
import { Action, Decision } from '@postern/proto/policy/v1/policy_service';
import { describe, expect, it } from 'vitest';
import type { SessionSettings } from '../session-settings.js';
import { acceptAll, Doubles } from '../testing/doubles.js';
import { greeted, withFront } from '../testing/front.js';

const { start } = withFront();

const mail = 'MAIL FROM:<a@sender.test>';
const recipients = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `RCPT TO:<u${at}@example.test>`);

interface Says {
  readonly overload?: true;
  readonly decision?: Partial<Decision>;
}

async function frontWith(says: Says, settings: Partial<SessionSettings> = {}) {
  const doubles = new Doubles();
  const failed: string[] = [];
  const slept: number[] = [];
  if (says.overload) doubles.overloaded = 'event loop';
  const decision = says.decision === undefined ? undefined : Decision.fromPartial(says.decision);
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict' || decision === undefined) return answer;
    const decided = answer.verdict.recipients.map((recipient) => ({ ...recipient, decision }));
    return { kind: 'verdict', verdict: { ...answer.verdict, recipients: decided } };
  };
  doubles.setSnapshot({ limits: { recipients: 100, errorsPerSession: 3 } });
  doubles.clock = Object.assign(new FakeClock(), { sleep: async (ms: number) => void slept.push(ms) });
  doubles.abuse = {
    ...doubles.abuse,
    tarpitMs: ({ errors }) => errors * 10 + 1,
    failed: (_session, kind) => void failed.push(kind),
  };
  const { port } = await start(doubles, {}, settings);
  return { doubles, failed, slept, client: await greeted(port, ['EHLO c.test']) };
}

const defers = { decision: { action: Action.TEMPFAIL } };
const refuses = { decision: { action: Action.REJECT } };

describe('is no error', () => {
  it.each<[string, Says, readonly string[], string]>([
    [
      'recipients and DATA behind MAIL',
      { overload: true },
      [mail, ...recipients(30), 'DATA'],
      `452 ${'503 '.repeat(31)}`,
    ],
    ['chunks behind MAIL', { overload: true }, [mail, ...recipients(1), 'BDAT 0', 'BDAT 0 LAST'], '452 503 503 503 '],
    ['DATA behind recipients', defers, [mail, ...recipients(5), 'DATA'], '250 451 451 451 451 451 503 '],
    ['chunks behind recipients', defers, [mail, ...recipients(1), 'BDAT 0', 'BDAT 0 LAST'], '250 451 503 503 '],
  ])('%s', async (_name, says, group, expected) => {
    const { client, failed, slept } = await frontWith(says);
    for (let round = 0; round < 4; round++) {
      client.send(`${group.join('\r\n')}\r\n`);
      let heard = '';
      for (const _line of group) heard += `${(await client.reply())?.slice(0, 3)} `;
      expect(heard).toBe(expected);
      expect(await client.command('RSET')).toMatch(/^250/);
    }
    expect(failed).toEqual([]);
    // The deferrals themselves are late as they were.
    expect(new Set(slept)).toEqual(new Set([1]));
    expect(slept).toHaveLength(4 * (expected.match(/4\d\d/g) ?? []).length);
    client.destroy();
  });
});

describe('is an error all the same', () => {
  it.each<[string, Says, readonly string[]]>([
    ['after RSET', { overload: true }, [mail, 'RSET', ...recipients(3)]],
    ['after another greeting', { overload: true }, [mail, 'EHLO c.test', ...recipients(3)]],
    ['behind a MAIL that is refused for good', {}, ['MAIL FROM:<a@sender.test> X=Y', ...recipients(2)]],
    ['behind recipients that are refused for good', refuses, [mail, ...recipients(2), 'DATA']],
    ['what follows from nothing', { overload: true }, [mail, 'NONSENSE', 'NONSENSE', 'NONSENSE']],
  ])('%s', async (_name, says, group) => {
    const { client, failed } = await frontWith(says);
    client.send(`${group.join('\r\n')}\r\n`);
    await client.closed();
    expect(client.rest).toMatch(/\n421 4\.7\.0 too many errors/);
    expect(failed).toHaveLength(3);
  });

  it('after a message of which some recipients were put off', async () => {
    const { doubles, client, failed } = await frontWith({});
    const split = Decision.fromPartial({ action: Action.TEMPFAIL });
    doubles.evaluate = (request) => {
      const answer = acceptAll(request);
      if (answer.kind !== 'verdict') return answer;
      const [first, ...others] = answer.verdict.recipients;
      const decided = others.map((recipient) => ({ ...recipient, decision: split }));
      return {
        kind: 'verdict',
        verdict: { ...answer.verdict, recipients: first === undefined ? [] : [first, ...decided] },
      };
    };
    client.send(`${[mail, ...recipients(2), 'DATA'].join('\r\n')}\r\n`);
    for (const code of [/^250/, /^250/, /^451/, /^354/]) expect(await client.reply()).toMatch(code);
    expect(await client.command('.')).toMatch(/^250/);
    expect(await client.command('DATA')).toMatch(/^503/);
    expect(failed).toEqual(['bad_command']);
    client.destroy();
  });
});

it('counts as put off, so that it does not go on for ever', async () => {
  const { doubles, client } = await frontWith({ overload: true }, { maxDeferrals: 40 });
  client.send(`${[mail, ...recipients(40)].join('\r\n')}\r\n`);
  await client.closed();
  const limits = doubles.events.map((one) => one.facts?.limit?.name);
  expect(limits).toContain('deferrals_per_session');
  expect(client.rest.match(/^503/gm) ?? []).toHaveLength(30);
});
