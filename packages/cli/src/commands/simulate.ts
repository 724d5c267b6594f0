/** posternctl simulate: what would happen to a session described here, stage by stage, judged by the code that judges mail and without its effects. */
import { type AskedStages, type SessionFacts, Stage } from '@postern/proto/policy/v1/policy_service';
import { type Command, Option } from 'commander';
import type { CommandContext, Run } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { printable } from '../output.js';
import { candidateRules } from './candidate-rules.js';
import { deliveryText } from './simulate-delivery-text.js';
import { readMessage } from './simulate-files.js';
import { assertDescribed, type DescribedOptions, type SimulateOptions } from './simulate-options.js';
import { describe, sceneOf } from './simulate-question.js';
import { replay } from './simulate-replay.js';
import { repliesText, stagesTitle, stageText } from './simulate-text.js';

/** SIZE= beyond this is no message any server takes. */
const largestDeclared = 2 ** 31 - 1;

/** Of a server that says which stage a verdict is of. */
const titleOf = (asked: AskedStages | undefined): string | undefined =>
  asked === undefined ? undefined : asked.stages.includes(Stage.HEADERS) ? 'message' : stagesTitle(asked.stages);

/** Stages in the order in which a server before this release judged them. */
function stagesOf(facts: SessionFacts, hasContent: boolean): string[] {
  return [
    'connect',
    'ehlo',
    ...(facts.origin?.authenticatedUser ? ['auth'] : []),
    ...(facts.hasReversePath ? ['mail'] : []),
    ...(facts.recipients.length > 0 ? ['rcpt'] : []),
    ...(hasContent ? ['message'] : []),
  ];
}

/** A session that is described. */
async function judge(
  options: DescribedOptions,
  { api, output }: Pick<CommandContext, 'api' | 'output'>,
): Promise<void> {
  const content = options.message === undefined ? Buffer.alloc(0) : readMessage(options.message);
  const candidates = candidateRules(options);
  const query = describe(options, content, candidates);
  const scene = sceneOf(options);
  const { result, deliveries, deliveriesUnknown } = await candidates.naming(
    api.call(api.rpc.simulateSession, { query, scene }),
  );
  const verdicts = result?.stages ?? [];
  const names = query.facts === undefined ? [] : stagesOf(query.facts, content.length > 0);
  output.show({ ...result, deliveries, deliveriesUnknown }, () =>
    [
      printable(
        `Session from ${options.client} (${options.helo}) on ${query.facts?.origin?.listener}, nothing is stored or sent`,
      ),
      ...verdicts.map((verdict, index) => stageText(verdict, titleOf(result?.asked[index]) ?? names[index] ?? '')),
      ...repliesText(result?.replies ?? []),
      ...deliveries.map(deliveryText),
      ...(deliveriesUnknown === '' ? [] : [printable(`  relay     not known: ${deliveriesUnknown}`)]),
    ].join('\n'),
  );
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function addSimulateCommand(program: Command, run: Run): void {
  program
    .command('simulate')
    .description('what would happen to a described session, without side effects')
    .option('--client <address>', 'address of the client')
    .option('--source-nat', 'the address seems to stand for many clients: it gives no rights')
    .option('--recorded <session>', 'a recorded session of the tenant, judged again with the configuration of now')
    .option('--helo <name>', 'name given with EHLO', 'client.example')
    .option('--from <address>', 'reverse-path; "" is the null sender')
    .option('--to <address>', 'forward-path; may be repeated', collect, [])
    .option(
      '--listener <name>',
      'listener: mx, submission, submissions or one of the settings; with --user submission, else mx',
    )
    .option('--client-certificate <file>', 'certificate the client shows, PEM; taken for one the listener can verify')
    .addOption(
      new Option('--tls [version]', 'on TLS; usual with --user').choices(['TLSv1.2', 'TLSv1.3']).preset('TLSv1.3'),
    )
    .option('--no-tls', 'in plain')
    .option('--user <login>', 'authenticated as user@domain')
    .option('--mechanism <name>', 'with this SASL mechanism', 'PLAIN')
    .option('--size <bytes>', 'SIZE= of MAIL', wholeNumber(0, largestDeclared), 0)
    .option('--message <file>', 'message or header section; - reads standard input')
    .option(
      '--rule <file>',
      'try this rule, named like its file, or those of its rules section, in place of the saved ones; may be repeated',
      collect,
      [],
    )
    .option(
      '--checks <file>',
      'try these settings of checks in place of the saved ones of the tenant or --domain, without --tenant the operator’s',
    )
    .option('--reply <reply>', 'what the next hop answers, as "452 4.2.2 full": for rules after a failure')
    .option('--attempt <number>', 'the delivery attempt that is made, or fails', wholeNumber(1, 1_000), 1)
    .option('--age <seconds>', 'time since acceptance', wholeNumber(0, 31_536_000), 0)
    .option(
      '--domain <scope>',
      'the rules tried are of this domain or user of the tenant, settings of checks of this domain',
    )
    .option('--tenant <name>', 'as this tenant sees it (operators)')
    .action((options: SimulateOptions, command: Command) =>
      run(command, async (context) => {
        if (options.recorded !== undefined) return replay(options, options.recorded, context);
        assertDescribed(options);
        return judge(options, context);
      }),
    );
}
