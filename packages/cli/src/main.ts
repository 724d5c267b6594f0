/** posternctl as a process. */
import { runProgram } from './program.js';

process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  folder: process.cwd(),
  terminal: { input: process.stdin, error: (text) => process.stderr.write(text) },
  write: (text) => process.stdout.write(text),
  now: () => Date.now(),
});
