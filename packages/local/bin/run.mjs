// Runs a built program of this project on the pinned Node, after installing and building what is missing: `node packages/local/bin/run.mjs FILE [arguments]`.
import { ensureBuilt, ensureInstalled, runPinned } from './pinned.mjs';

ensureInstalled();
ensureBuilt();
process.exitCode = await runPinned(process.argv.slice(2));
