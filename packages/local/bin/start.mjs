// `npm start`: install and build if needed, then the supervisor on the pinned Node. Options after `--` are its own.
import { canRun, ensureBuilt, ensureInstalled, runPinned } from './pinned.mjs';

const args = process.argv.slice(2);
// A relative --data or --config is meant from where the person stands, which npm keeps in INIT_CWD.
const standing = process.env.INIT_CWD ?? process.cwd();
// A cluster is stopped by what is built, whatever has changed since; in a fresh clone there is nothing yet that could.
if (!canRun() || !['--stop', '--help', '-h'].some((option) => args.includes(option))) {
  ensureInstalled();
  ensureBuilt();
}
process.exitCode = await runPinned(['packages/local/dist/main.js', ...args], { POSTERN_INVOKED_FROM: standing });
