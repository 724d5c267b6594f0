/** The public suites for SPF and ARC, run through the service: a request as the edge makes it, and the finding of the verdict. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createZone, type ZoneData } from '@postern/dns/testing';
import { EvaluateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { describe, expect, test } from 'vitest';
import { askEnvelope, factsOf, ground, settings } from '../testing/ground.js';

interface SpfRecord {
  readonly type: string;
  readonly timeout?: boolean;
  readonly value?: unknown;
}
interface SpfSuite {
  readonly scenarios: readonly {
    readonly zone: Readonly<Record<string, readonly SpfRecord[]>>;
    readonly tests: readonly {
      readonly id: string;
      readonly helo: string;
      readonly ip: string;
      readonly mailfrom: string;
      readonly result: readonly string[];
    }[];
  }[];
}
interface ArcSuite {
  readonly zones: Readonly<Record<string, Readonly<Record<string, readonly { readonly value: readonly string[] }[]>>>>;
  readonly vectors: readonly {
    readonly id: string;
    readonly zone_ref: string;
    readonly message_b64: string;
    readonly expect: { readonly arc: string | readonly string[] };
  }[];
}

const folder = join(import.meta.dirname, '../../../../../shared/vectors');
const present = existsSync(folder);
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const spfSuite: SpfSuite = present ? JSON.parse(read('spf-rfc7208.json')) : { scenarios: [] };
const arcSuite: ArcSuite = present ? JSON.parse(read('arc-validate.json')) : { zones: {}, vectors: [] };

function spfZone(zone: SpfSuite['scenarios'][number]['zone']): ZoneData {
  const nodes = Object.entries(zone).map(([name, records]) => {
    const silent = records.some(({ type, timeout }) => type === '*' && timeout === true);
    const node: Record<string, unknown> = silent
      ? { A: 'timeout', AAAA: 'timeout', MX: 'timeout', PTR: 'timeout', TXT: 'timeout' }
      : {};
    for (const { type, timeout, value } of records) {
      if (type === '*') continue;
      if (timeout === true) node[type] = 'timeout';
      else if (type === 'CNAME') node[type] = value;
      else node[type] = [...(Array.isArray(node[type]) ? node[type] : []), value];
    }
    return [name, node];
  });
  return Object.fromEntries(nodes);
}

describe.skipIf(!present)('RFC 7208 through the service', () => {
  const cases = spfSuite.scenarios.flatMap(({ zone, tests }) => {
    const resolver = createZone(spfZone(zone));
    return tests.map((one) => [one.id, one, resolver] as const);
  });

  test.each(cases)('%s', async (_id, { helo, ip, mailfrom, result }, resolver) => {
    const verdict = await askEnvelope(ground({ resolver, snapshot: settings({ spf: {} }) }), {
      helo,
      client: ip,
      from: mailfrom,
    });
    expect(result).toContain(verdict.findings.find(({ check }) => check === 'spf')?.outcome);
  });

  test('all 203 of them', () => expect(cases).toHaveLength(203));
});

describe.skipIf(!present)('RFC 8617 through the service', () => {
  test.each(arcSuite.vectors.map((vector) => [vector.id, vector] as const))('%s', async (_id, vector) => {
    const records = Object.entries(arcSuite.zones[vector.zone_ref] ?? {});
    const zone = Object.fromEntries(records.map(([name, list]) => [name, { TXT: list.map(({ value }) => value) }]));
    const content = Buffer.from(vector.message_b64, 'base64');
    const request = {
      sessionId: 's',
      sequence: 1,
      stages: [Stage.HEADERS, Stage.BODY],
      content,
      contentSize: content.length,
    };
    const { judge } = ground({ zone, snapshot: settings({ arc: {} }) });
    const verdict = await judge.evaluate(
      EvaluateRequest.fromPartial({ ...request, facts: factsOf({ asked: false }) }),
      5_000,
    );
    const finding = verdict.findings.find(({ check }) => check === 'arc');
    expect([vector.expect.arc].flat(), finding?.evidence.reason).toContain(finding?.outcome);
  });

  test('all 171 of them', () => expect(arcSuite.vectors).toHaveLength(171));
});
