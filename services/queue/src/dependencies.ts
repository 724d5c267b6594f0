/** What a queue pod depends on, looked at when `status` asks. Without PostgreSQL first attempts go on and deferrals wait. */
import type { Dependency } from '@postern/stream';
import type { Database } from './store/database.js';

export const queueDependencies = (database: Database): Dependency[] => [
  { name: 'postgres', look: () => database.unboundRole().then(() => ({ state: 'ok' })) },
];
