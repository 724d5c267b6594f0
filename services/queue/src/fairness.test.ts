import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Demand, shareOut } from './fairness.js';

const even = () => 1;

test('a flood of one tenant does not take the share of another', () => {
  const quotas = shareOut(
    [
      { tenant: 'flood', lane: 'a', wanted: 10_000 },
      { tenant: 'flood', lane: 'b', wanted: 10_000 },
      { tenant: 'small', lane: 'a', wanted: 30 },
    ],
    even,
    100,
    0,
  );
  expect(quotas).toContainEqual({ tenant: 'small', lane: 'a', count: 30 });
  expect(quotas.filter(({ tenant }) => tenant === 'flood').map(({ count }) => count)).toEqual([35, 35]);
});

test('weights share what is scarce', () => {
  const demands = ['one', 'three'].map((tenant) => ({ tenant, lane: 'x', wanted: 1_000 }));
  const quotas = shareOut(demands, (tenant) => (tenant === 'three' ? 3 : 1), 400, 0);
  expect(Object.fromEntries(quotas.map(({ tenant, count }) => [tenant, count]))).toEqual({ one: 100, three: 300 });
});

test('nobody gets more than it wants, the budget is used up when there is demand for it', () => {
  const demand = fc.record({
    tenant: fc.constantFrom('a', 'b', 'c', 'd'),
    lane: fc.constantFrom('1', '2', '3'),
    wanted: fc.nat(300),
  });
  const unique = (demands: Demand[]) => [...new Map(demands.map((one) => [`${one.tenant}/${one.lane}`, one])).values()];
  fc.assert(
    fc.property(fc.array(demand), fc.nat(500), fc.nat(10), (raw, budget, first) => {
      const demands = unique(raw);
      const quotas = shareOut(demands, (tenant) => tenant.charCodeAt(0) - 96, budget, first);
      const given = quotas.reduce((sum, { count }) => sum + count, 0);
      const wanted = demands.reduce((sum, one) => sum + one.wanted, 0);
      expect(given).toBe(Math.min(budget, wanted));
      for (const quota of quotas) {
        const asked = demands.find(({ tenant, lane }) => tenant === quota.tenant && lane === quota.lane);
        expect(quota.count).toBeLessThanOrEqual(asked?.wanted ?? 0);
      }
    }),
  );
});
