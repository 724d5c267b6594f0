/** The public SPF suite whole (BSD-3-Clause, see its README), and our own cases. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FakeClock } from '@postern/clock';
import { createZone, type ZoneData, type ZoneNode } from '@postern/dns/testing';
import { describe, expect, it } from 'vitest';
import { checkHelo, checkMailFrom, type SpfQuestion } from './check-spf.js';
import { receivedSpf } from './received-spf.js';

interface SuiteRecord {
  readonly type: string;
  readonly timeout?: boolean;
  readonly value?: string | readonly string[] | readonly [number, string];
}

interface Suite {
  readonly scenarios: readonly {
    readonly description: string;
    readonly zone: Readonly<Record<string, readonly SuiteRecord[]>>;
    readonly tests: readonly {
      readonly id: string;
      readonly spec: string;
      readonly helo: string;
      readonly ip: string;
      readonly mailfrom: string;
      readonly result: readonly string[];
      readonly explanation: string | null;
    }[];
  }[];
}

const file = join(dirname(fileURLToPath(import.meta.url)), '../../../../../shared/vectors/spf-rfc7208.json');
const present = existsSync(file);
const suite: Suite = present ? JSON.parse(readFileSync(file, 'utf8')) : { scenarios: [] };
if (!present) console.warn(`SKIPPED: the public SPF suite (203 cases) is not at ${file}`);

function suiteZone(zone: Suite['scenarios'][number]['zone']): ZoneData {
  const nodes: Record<string, ZoneNode | 'timeout'> = {};
  for (const [name, records] of Object.entries(zone)) {
    if (records.some((record) => record.type === '*' && record.timeout)) {
      const [first, ...others] = records.filter((record) => record.type !== '*');
      nodes[name] =
        first === undefined
          ? 'timeout'
          : {
              A: 'timeout',
              AAAA: 'timeout',
              MX: 'timeout',
              PTR: 'timeout',
              TXT: 'timeout',
              ...nodeOf([first, ...others]),
            };
    } else {
      nodes[name] = nodeOf(records);
    }
  }
  return nodes;
}

function nodeOf(records: readonly SuiteRecord[]): ZoneNode {
  const node: Record<string, unknown> = {};
  for (const { type, timeout, value } of records) {
    if (timeout) node[type] = 'timeout';
    else if (type === 'CNAME') node[type] = value;
    else node[type] = [...(Array.isArray(node[type]) ? node[type] : []), value];
  }
  return node;
}

describe.skipIf(!present)('public SPF suite', () => {
  for (const scenario of suite.scenarios) {
    describe(scenario.description, () => {
      const zone = suiteZone(scenario.zone);
      it.each(scenario.tests.map((test) => [test.id, test] as const))('%s', async (_, test) => {
        const question = { clientAddress: test.ip, helo: test.helo, reversePath: test.mailfrom, receiver: 'here.test' };
        const clock = new FakeClock();
        const outcome = await checkMailFrom(question, { resolver: createZone(zone, clock), clock });
        expect(test.result, outcome.problem).toContain(outcome.result);
        if (test.explanation !== null) expect(outcome.explanation ?? 'DEFAULT').toBe(test.explanation);
      });
    });
  }
  it('has all its cases', () => {
    expect(suite.scenarios.flatMap((scenario) => scenario.tests).length).toBe(203);
  });
});

const session: SpfQuestion = { clientAddress: '192.0.2.1', helo: 'mail.a.test', reversePath: 'x@a.test' };
const check = (zone: ZoneData, question: Partial<SpfQuestion> = {}) => {
  const clock = new FakeClock();
  return checkMailFrom({ ...session, ...question }, { resolver: createZone(zone, clock), clock });
};

describe('checkMailFrom', () => {
  it('names the mechanism and counts lookups', async () => {
    const zone = {
      'a.test': { TXT: ['v=spf1 include:b.test -all'] },
      'b.test': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] },
    };
    expect(await check(zone)).toMatchObject({
      result: 'pass',
      domain: 'a.test',
      mechanism: 'include:b.test',
      lookups: 1,
      identity: 'mailfrom',
    });
  });

  it.each(['servfail', 'timeout', 'refused', 'unreachable'] as const)(
    'an include answered %s is temperror',
    async (mark) => {
      const zone = { 'a.test': { TXT: ['v=spf1 include:b.test -all'] }, 'b.test': mark };
      expect(await check(zone)).toMatchObject({ result: 'temperror' });
    },
  );

  it('ends include and redirect loops as permerror', async () => {
    expect(await check({ 'a.test': { TXT: ['v=spf1 include:a.test -all'] } })).toMatchObject({ result: 'permerror' });
    expect(await check({ 'a.test': { TXT: ['v=spf1 redirect=a.test'] } })).toMatchObject({ result: 'permerror' });
  });

  it('matches an IPv4-mapped client as IPv4', async () => {
    const zone = { 'a.test': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] } };
    expect(await check(zone, { clientAddress: '::ffff:192.0.2.1' })).toMatchObject({ result: 'pass' });
  });

  it('checks HELO for a null reverse-path', async () => {
    const zone = { 'mail.a.test': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] } };
    expect(await check(zone, { reversePath: '' })).toMatchObject({
      result: 'pass',
      identity: 'helo',
      domain: 'mail.a.test',
    });
    const clock = new FakeClock();
    const context = { resolver: createZone(zone, clock), clock };
    expect(await checkHelo({ ...session, helo: '[192.0.2.1]' }, context)).toMatchObject({ result: 'none' });
  });

  it('never lets outside text into the explanation raw', async () => {
    const zone = {
      'a.test': { TXT: ['v=spf1 -all exp=why.a.test'] },
      'why.a.test': { TXT: ['see %{l} at %{r}'] },
    };
    const result = await check(zone, { reversePath: 'a\r\nb@a.test', receiver: 'here.test' });
    expect(result).toMatchObject({ result: 'fail', explanation: 'see a??b at here.test' });
  });

  it('stops within its time', async () => {
    const clock = new FakeClock();
    const resolver = createZone({ 'a.test': { TXT: ['v=spf1 a -all'] } }, clock);
    expect(await checkMailFrom(session, { resolver, clock, deadlineMs: 0 })).toMatchObject({ result: 'temperror' });
  });
});

it('writes Received-SPF', async () => {
  const result = await check({ 'a.test': { TXT: ['v=spf1 -all'] } }, { reversePath: '"a b"@a.test' });
  expect(receivedSpf(result, { ...session, reversePath: '"a b"@a.test', receiver: 'mx.here.test' })).toBe(
    'fail (client is not permitted to send for the domain) receiver=mx.here.test; identity=mailfrom; ' +
      'client-ip=192.0.2.1; envelope-from="\\"a b\\"@a.test"; helo=mail.a.test; mechanism=-all',
  );
});
