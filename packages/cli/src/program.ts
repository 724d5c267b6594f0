/** The whole command line. `runProgram` never throws and never exits: it returns the exit code (0 done, 1 failed, 2 typed wrong). */
import { readFileSync } from 'node:fs';
import { PosternError } from '@postern/errors';
import { Command, CommanderError } from 'commander';
import { prepareCommand } from './command-line.js';
import { addAliasCommands } from './commands/alias.js';
import { addAppPasswordCommands } from './commands/app-password.js';
import { addAuditCommands } from './commands/audit.js';
import { addChecksCommands } from './commands/checks.js';
import { addDomainCommands } from './commands/domain.js';
import { addGreylistCommands } from './commands/greylist.js';
import { addInitCommand } from './commands/init.js';
import { addKeyCommands } from './commands/key.js';
import { addLedgerCommand } from './commands/ledger.js';
import { addLimitCommands } from './commands/limit.js';
import { addMailboxCommands } from './commands/mailbox.js';
import { addQueueCommands } from './commands/queue.js';
import { addRouteCommands } from './commands/route.js';
import { addRuleCommands } from './commands/rule.js';
import { addSessionCommands } from './commands/session.js';
import { addSimulateCommand } from './commands/simulate.js';
import { addStatusCommand } from './commands/status.js';
import { addTenantCommands } from './commands/tenant.js';
import { addTraceCommand } from './commands/trace.js';
import { addUserCommands } from './commands/user.js';
import { createRun, type Host } from './context.js';
import { PlainError, UsageError } from './usage-error.js';

export type { Host } from './context.js';

const exampleText = `
Examples:
  posternctl status
  posternctl init --tenant acme --domain acme.test --user alice
  posternctl domain add acme.test --tenant acme --assume-verified
  posternctl trace 01JD4Q6V6S7M8N9P0Q1R2S3T4V
  posternctl queue list --state deferred
  posternctl simulate --client 192.0.2.1 --from a@example.org --to alice@demo.test

Exit codes: 0 done, 1 refused or failed, 2 typed wrong.`;

function versionOf(manifest: URL): string {
  const { version }: { readonly version?: unknown } = JSON.parse(readFileSync(manifest, 'utf8'));
  return String(version);
}

export function createProgram(host: Host): Command {
  const program = new Command('posternctl')
    .description('Operates a Postern cluster through its API. Finds the local cluster by itself.')
    .version(versionOf(new URL('../package.json', import.meta.url)), '--version', 'print the version')
    .option('--data <dir>', 'data folder of a local cluster (env POSTERN_DATA; default: .postern here or above)')
    .option('--server <host:port>', 'API address (env POSTERN_SERVER)')
    .option('--key-file <file>', 'file with the API key (env POSTERN_KEY_FILE)')
    .option('--ca <file>', 'certificate authority of the API: use TLS')
    .option('--timeout <duration>', 'deadline of one call (default: 20s)')
    .option('--json', 'print JSON')
    .addHelpText('after', exampleText);
  const run = createRun(host);
  addInitCommand(program, run);
  addStatusCommand(program, run);
  addTenantCommands(program, run);
  addDomainCommands(program, run);
  addUserCommands(program, run);
  addAppPasswordCommands(program, run);
  addAliasCommands(program, run);
  addRouteCommands(program, run);
  addRuleCommands(program, run);
  addChecksCommands(program, run);
  addKeyCommands(program, run);
  addAuditCommands(program, run);
  addQueueCommands(program, run);
  addTraceCommand(program, run);
  addSimulateCommand(program, run);
  addSessionCommands(program, run);
  addLedgerCommand(program, run);
  addLimitCommands(program, run);
  addGreylistCommands(program, run);
  addMailboxCommands(program, run);
  prepareCommand(program, host);
  return program;
}

export async function runProgram(args: readonly string[], host: Host): Promise<number> {
  try {
    await createProgram(host).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    for (const line of failure(error).split('\n')) host.terminal.error(`posternctl: ${line}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function failure(error: unknown): string {
  if (error instanceof UsageError || error instanceof PlainError) return error.message;
  if (error instanceof PosternError) return posternText(error);
  return error instanceof Error ? error.message : String(error);
}

function posternText(error: PosternError): string {
  const { publicText } = error.entry;
  if (error.id === 'store-unavailable' && error.detail === '') return 'the cluster does not answer; does it run?';
  return error.detail === '' ? publicText.toLowerCase() : error.detail;
}
