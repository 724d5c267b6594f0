// `npm run test:containers`: install and build if needed, then the check of images and docker-compose.yml on the pinned Node.

import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, runPinned } from './pinned.mjs';

ensureInstalled();
ensureBuilt();
process.exitCode = await runPinned([
  join(root, 'packages', 'e2e', 'dist', 'containers', 'main.js'),
  ...process.argv.slice(2),
]);
