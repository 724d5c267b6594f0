/** posternctl simulate: what would happen to a session described here, stage by stage, judged by the code that judges mail and without its effects. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { basename, extname } from 'node:path';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { type AskedStages, type SessionFacts, SimulateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { DeliveryScene } from '@postern/proto/queue/v1/queue_service';
import { type Command, Option } from 'commander';
import { isMap, parseDocument, stringify } from 'yaml';
import type { CommandContext, Run } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { printable } from '../output.js';
import { readRuleFile, ruleSection, withLinesOf, withoutOwner } from '../rule-file.js';
import { PlainError, UsageError } from '../usage-error.js';
import { deliveryText } from './simulate-delivery-text.js';
import { repliesText, stagesTitle, stageText } from './simulate-text.js';
import { differences, refusedBy } from './verdict-difference.js';

const roles: readonly string[] = ['mx', 'submission', 'submissions'];

interface SimulateOptions {
  readonly client?: string;
  readonly sourceNat?: boolean;
  readonly recorded?: string;
  readonly domain?: string;
  readonly helo: string;
  readonly from?: string;
  readonly to: readonly string[];
  readonly user?: string;
  readonly mechanism: string;
  readonly listener?: string;
  readonly clientCertificate?: string;
  readonly tls?: string | false;
  readonly size: number;
  readonly message?: string;
  readonly rule: readonly string[];
  readonly checks?: string;
  readonly reply?: string;
  readonly attempt: number;
  readonly age: number;
  readonly tenant?: string;
}

const largestMessage = 50 * 1024 * 1024;
/** SIZE= beyond this is no message any server takes. */
const largestDeclared = 2 ** 31 - 1;

const mailbox =
  /^(?:"(?:[^"\\\p{Cc}]|\\[ -~])*"|[^\s@<>"(),:;\\[\]\p{Cc}]+)@(?:\[[0-9A-Za-z:.]+\]|[^\s@<>"(),:;\\[\]\p{Cc}]+)$/u;
const greeting = /^[!-~]{1,255}$/;

/** What could not have been said in SMTP is not judged. */
function assertSayable({ helo, from, to }: SimulateOptions): void {
  const refused = (option: string, value: string, expected: string): UsageError =>
    new UsageError(`${option}: ${JSON.stringify(value)} is not allowed; expected ${expected}`);
  const isAddress = (value: string): boolean => value.length <= 320 && mailbox.test(value);
  if (!greeting.test(helo)) throw refused('--helo', helo, 'a name or an address literal, without spaces');
  if (from !== undefined && from !== '' && !isAddress(from))
    throw refused('--from', from, 'an address user@domain, or "" for the null sender');
  for (const one of to) if (!isAddress(one)) throw refused('--to', one, 'an address user@domain');
}

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

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'latin1');
  } catch (error) {
    throw new PlainError(
      `${file} cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`,
    );
  }
}

/** Lines of files end in LF; on the wire they end in CRLF. */
function readMessage(file: string): Buffer {
  const content = readText(file);
  if (content.length > largestMessage) throw new PlainError(`message ${file} is larger than 50 MiB`);
  return Buffer.from(content.replaceAll(/\r?\n/g, '\r\n'), 'latin1');
}

function candidatesOf({ rule, domain, tenant }: SimulateOptions): Partial<SimulateRequest['candidates'][number]>[] {
  return rule.flatMap((file) => {
    const text = readRuleFile(file);
    const named = basename(file, extname(file));
    const found = ruleSection(text) ?? [{ id: named, document: text }];
    return found.map(({ id, document }, index) => {
      const owned = withoutOwner(document);
      const name = id === '' ? `${named}-${index + 1}` : id;
      if (owned.tenant !== undefined && owned.tenant !== tenant)
        throw new PlainError(
          `rule file ${file}: rule ${name} is of tenant ${owned.tenant}; try it with --tenant ${owned.tenant}`,
        );
      const target = domain ?? owned.scope;
      return { id: name, document: owned.document, ...(target === undefined ? {} : { target }) };
    });
  });
}

/** A file as `checks put` takes it, or one with a `checks` section. */
function checksOf({ checks, domain }: SimulateOptions): { scope: string; document: string } | undefined {
  if (checks === undefined) return undefined;
  const text = readSettingsFile(checks);
  const parsed = parseDocument(text, { logLevel: 'silent' });
  const section: unknown = parsed.errors.length > 0 ? undefined : parsed.get('checks');
  return { scope: domain ?? '', document: isMap(section) ? stringify(section) : text };
}

function readSettingsFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`settings file ${file} cannot be read (${reason})`);
  }
}

/** Logins are asked for on TLS; submissions has nothing else. */
function versionOf({ tls, user, clientCertificate }: SimulateOptions, listener: string): string {
  if (typeof tls === 'string') return tls;
  const wantsTls = user !== undefined || clientCertificate !== undefined;
  const isUsual = listener === 'submissions' || (wantsTls && tls !== false);
  return isUsual ? 'TLSv1.3' : '';
}

/** What the edge tells of a certificate; who signed it is not looked at. */
function certificateOf(file: string) {
  const content = readText(file);
  try {
    const { subject, issuer, fingerprint256, subjectAltName = '' } = new X509Certificate(content);
    return {
      verified: true,
      subject: subject.replaceAll('\n', ', '),
      issuer: issuer.replaceAll('\n', ', '),
      fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
      names: [...subjectAltName.matchAll(/(?:DNS|email):([^,\s"]+)/g)].map(([, name = '']) => name.toLowerCase()),
    };
  } catch {
    throw new PlainError(`${file} holds no certificate; expected one in PEM`);
  }
}

function describe(options: SimulateOptions, content: Buffer): SimulateRequest {
  const listener = options.listener ?? (options.user === undefined ? 'mx' : 'submission');
  const version = versionOf(options, listener);
  const [, domain = ''] = /@([^@]*)$/.exec(options.user ?? '') ?? [];
  if (options.user !== undefined && domain === '') throw new UsageError('--user: expected a login user@domain');
  return SimulateRequest.fromPartial({
    tenant: options.tenant ?? '',
    content,
    candidates: candidatesOf(options),
    checks: checksOf(options),
    facts: {
      origin: {
        clientAddress: options.client ?? '',
        clientPort: 40_000,
        helo: options.helo,
        listener,
        withProtocol: `ESMTP${version === '' ? '' : 'S'}${options.user === undefined ? '' : 'A'}`,
        tlsVersion: version,
        authenticatedUser: options.user ?? '',
        edge: 'simulation',
      },
      // That of any other listener is in its settings.
      listenerRole: roles.includes(listener) ? listener : '',
      ...(options.clientCertificate === undefined
        ? {}
        : { clientCertificate: certificateOf(options.clientCertificate) }),
      esmtp: true,
      addressSuspected: options.sourceNat === true,
      submittingTenant: options.user === undefined ? '' : (options.tenant ?? ''),
      reversePath: options.from ?? '',
      hasReversePath: options.from !== undefined,
      declaredSize: options.size === 0 ? content.length : options.size,
      recipients: options.to.map((address) => ({
        address,
        recipientClass: RecipientClass.UNSPECIFIED,
        asked: true,
      })),
      authMechanism: options.user === undefined ? '' : options.mechanism,
      relayRight: options.user !== undefined,
    },
  });
}

const replyShape = /^([45]\d\d)(?: (\d\.\d{1,3}\.\d{1,3}))?(?: ([^\r\n]{1,400}))?$/;

/** What is supposed of delivery. */
function sceneOf({ reply, attempt, age }: SimulateOptions): DeliveryScene {
  const base = { attempt, ageMs: age * 1_000 };
  if (reply === undefined) return DeliveryScene.fromPartial(base);
  const [, code, enhancedCode = '', replyText = ''] = replyShape.exec(reply) ?? [];
  if (code === undefined)
    throw new UsageError(`--reply: ${JSON.stringify(reply)} is not allowed; expected a failure as "452 4.2.2 full"`);
  return DeliveryScene.fromPartial({ ...base, reply: { replyCode: Number(code), enhancedCode, replyText } });
}

/** Verdict beside verdict: what would be different now is marked. */
async function replay(
  options: SimulateOptions,
  recorded: string,
  api: CommandContext['api'],
  output: CommandContext['output'],
): Promise<void> {
  const tenant = options.tenant ?? '';
  const query = SimulateRequest.fromPartial({
    tenant,
    recorded,
    candidates: candidatesOf(options),
    checks: checksOf(options),
  });
  const { result } = await namingFile(options, api.call(api.rpc.simulateSession, { query, scene: undefined }));
  if (result === undefined) return;
  const { stages, asked, recorded: then } = result;
  const gone = new Set<string>();
  const rows = stages.map((verdict, index) => {
    const before = then[index];
    const changes = before === undefined ? [] : differences(before, verdict, gone);
    for (const address of refusedBy(verdict)) gone.add(address);
    return { verdict, title: stagesTitle(asked[index]?.stages ?? []), changes, missing: asked[index]?.bodyMissing };
  });
  const isSame = rows.every(({ changes }) => changes.length === 0);
  const different = rows.map(({ changes }) => changes);
  output.show({ same: isSame, different, ...result }, () =>
    [
      printable(`Session ${recorded} judged again, nothing is stored or sent`),
      ...rows.flatMap(({ verdict, title, changes, missing }) => [
        stageText(verdict, title),
        ...(missing === true ? ['  the message was too large to be kept: this is the verdict of then'] : []),
        ...(changes.length === 0 ? [] : ['  different from then:', ...changes.map((line) => `    ${line}`)]),
      ]),
      isSame ? 'The same as then.' : 'Not the same as then.',
    ].join('\n'),
  );
}

/** A mistake in a rule that is tried is told with its file, and its lines where there is one rule. */
function namingFile<T>({ rule }: SimulateOptions, work: Promise<T>): Promise<T> {
  const [file] = rule;
  if (file === undefined || file === '-' || rule.length > 1) return work;
  const [only, ...more] = ruleSection(readRuleFile(file)) ?? [{ id: '', document: '', line: 1 }];
  return only === undefined || more.length > 0 ? work : withLinesOf(file, only, work);
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
      run(command, async ({ api, output }) => {
        if (options.recorded !== undefined) return replay(options, options.recorded, api, output);
        if (options.client === undefined) throw new UsageError('--client or --recorded is needed');
        if (isIP(options.client) === 0)
          throw new UsageError(`--client: ${JSON.stringify(options.client)} is not allowed; expected an IP address`);
        if (options.to.length > 0 && options.from === undefined) throw new UsageError('--to needs --from');
        if (options.message !== undefined && options.to.length === 0) throw new UsageError('--message needs --to');
        if (options.clientCertificate !== undefined && options.tls === false)
          throw new UsageError('--client-certificate: is shown on TLS only, which --no-tls leaves out');
        assertSayable(options);
        const content = options.message === undefined ? Buffer.alloc(0) : readMessage(options.message);
        const query = describe(options, content);
        const scene = sceneOf(options);
        const { result, deliveries, deliveriesUnknown } = await namingFile(
          options,
          api.call(api.rpc.simulateSession, { query, scene }),
        );
        const verdicts = result?.stages ?? [];
        const names = query.facts === undefined ? [] : stagesOf(query.facts, content.length > 0);
        output.show({ ...result, deliveries, deliveriesUnknown }, () =>
          [
            printable(
              `Session from ${options.client} (${options.helo}) on ${query.facts?.origin?.listener}, nothing is stored or sent`,
            ),
            ...verdicts.map((verdict, index) =>
              stageText(verdict, titleOf(result?.asked[index]) ?? names[index] ?? ''),
            ),
            ...repliesText(result?.replies ?? []),
            ...deliveries.map(deliveryText),
            ...(deliveriesUnknown === '' ? [] : [printable(`  relay     not known: ${deliveriesUnknown}`)]),
          ].join('\n'),
        );
      }),
    );
}
