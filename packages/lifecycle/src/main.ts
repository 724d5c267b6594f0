/**
 * The outermost call of every program: `await main(async () => { … })`. What is thrown before the service runs, such as
 * a configuration that is not valid, ends in readable lines and exit code 1 instead of a stack trace. A Node that is too old is said before anything
 * else: what is missing in it would show as one fault or another.
 */
import { failureText } from './failure-text.js';
import { type Host, processHost } from './host.js';

const oldestNode = 24;

export async function main(program: () => Promise<unknown>, host: Host = processHost): Promise<void> {
  if (Number.parseInt(host.nodeVersion, 10) < oldestNode) {
    host.complain(
      `needs Node ${oldestNode} or newer, and this is ${host.nodeVersion}. Way out: npm start, which brings its own; node_modules/.bin/node of the repository, which is that one; or another Node first in PATH`,
    );
    host.exit(1);
    return;
  }
  try {
    await program();
  } catch (error) {
    host.complain(isForOperators(error) ? error.message : `failed: ${failureText(error)}`);
    host.exit(1);
  }
}

/** Configuration errors are written for people already, one problem a line. */
function isForOperators(error: unknown): error is Error {
  return error instanceof Error && 'id' in error && error.id === 'config-invalid';
}
