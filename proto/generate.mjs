// Generates gen/ from the .proto files with the pinned buf and ts-proto. Run by `npm run gen`; `npm run check` fails when gen/ drifts.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
rmSync(new URL('./gen', import.meta.url), { recursive: true, force: true });
const run = spawnSync('buf', ['generate'], { cwd: here, stdio: 'inherit' });
process.exit(run.status ?? 1);
