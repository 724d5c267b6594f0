// `npm start`: install and build if needed, then the supervisor on the pinned Node. Options after `--` are its own.
import { ensureBuilt, ensureInstalled, runPinned } from './pinned.mjs';

const args = process.argv.slice(2);
// A relative --data or --config is meant from where the person stands, which npm keeps in INIT_CWD.
const standing = process.env.INIT_CWD ?? process.cwd();
if (!args.includes('--stop') && !args.includes('--help')) {
  ensureInstalled();
  ensureBuilt();
}
process.exitCode = await runPinned(['packages/local/dist/main.js', ...args], { POSTERN_INVOKED_FROM: standing });
