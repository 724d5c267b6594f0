import { expect, test } from 'vitest';
import { serviceViews } from './service-views.js';

const view = (service: string, ...dependencies: [name: string, state: string, detail?: string][]) => ({
  service,
  processes: 1,
  dependencies: dependencies.map(([name, state, detail = '']) => ({ name, state, detail })),
});

test('the worst any process of a service sees is told, with how many see it; one that is not heard of has nothing', () => {
  const views = serviceViews([
    view('edge', ['nats', 'ok'], ['redis', 'away', 'Command timed out']),
    view('edge', ['nats', 'ok'], ['redis', 'ok']),
    view('queue', ['postgres', 'away', 'refused']),
    view('policy', ['dns', 'degraded', 'the servers answer servfail']),
  ]);
  expect(views).toEqual([
    {
      service: 'edge',
      processes: 2,
      dependencies: [
        { name: 'nats', state: 'ok', detail: '' },
        { name: 'redis', state: 'away', detail: '1 of 2 processes: Command timed out' },
      ],
    },
    {
      service: 'policy',
      processes: 1,
      dependencies: [{ name: 'dns', state: 'degraded', detail: 'the servers answer servfail' }],
    },
    { service: 'queue', processes: 1, dependencies: [{ name: 'postgres', state: 'away', detail: 'refused' }] },
    { service: 'delivery', processes: 0, dependencies: [] },
  ]);
});
