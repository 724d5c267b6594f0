/** posternctl as a process. */
import { runProgram } from './program.js';

// Warnings of libraries about themselves are no answer to a command.
process.noDeprecation = true;

// Whoever reads the answer may have had enough of it (`| head`).
process.stdout.on('error', () => process.exit());

process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  folder: process.cwd(),
  terminal: { input: process.stdin, error: (text) => process.stderr.write(text) },
  write: (text) => process.stdout.write(text),
  now: () => Date.now(),
});
