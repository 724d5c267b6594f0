/** posternctl as a process. */
import { runProgram } from './program.js';

// Warnings of libraries about themselves are no answer to a command.
process.noDeprecation = true;

process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  folder: process.cwd(),
  terminal: { input: process.stdin, error: (text) => process.stderr.write(text) },
  write: (text) => process.stdout.write(text),
  now: () => Date.now(),
});
