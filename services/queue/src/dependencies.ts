/** What a queue pod depends on, looked at when `status` asks. Without PostgreSQL first attempts go on and deferrals wait; mail of an egress pool nobody takes waits in WORK. */
import type { Dependency, Standing } from '@postern/stream';
import type { Database } from './store/database.js';

export const queueDependencies = (database: Database, pools: () => Standing): Dependency[] => [
  { name: 'postgres', look: () => database.unboundRole().then(() => ({ state: 'ok' })) },
  { name: 'egress pools', look: () => Promise.resolve(pools()) },
];
