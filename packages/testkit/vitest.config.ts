import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = join(import.meta.dirname, '..', '..');
/** Walks through everything rules and simulation can say, in a running cluster; and what waits for deadlines of half a minute. */
const walks = [
  ...['recipes', 'rule-walk', 'silent-policy', 'simulated-sessions'],
  ...['address-lists', 'recipients-apart', 'silent-dns', 'spared-recipient'],
  ...['ruled-routes', 'declared-fallbacks'],
  '../chaos/put-back',
].map((name) => join('packages/e2e/src/integration', `${name}.test.ts`));

// unit: beside the source, no processes. integration and e2e start real servers on free ports.
export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'services/*/src/**/*.test.ts'],
          exclude: ['packages/e2e/**', '**/node_modules/**', '**/dist/**'],
          testTimeout: 30_000,
        },
      },
      {
        root,
        test: {
          name: 'e2e',
          include: ['packages/e2e/src/**/*.test.ts'],
          exclude: ['packages/e2e/src/neighbours/**', ...walks, '**/node_modules/**', '**/dist/**'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        root,
        test: {
          name: 'walks',
          include: walks,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        root,
        test: {
          // Real mail programs and a real Postfix; needs root. About three minutes.
          name: 'neighbours',
          include: ['packages/e2e/src/neighbours/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
