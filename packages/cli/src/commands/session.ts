/** posternctl session record on|off|list|show: sessions kept as they were judged, for `simulate --recorded` */
import type { RecordingSummary } from '@postern/proto/policy/v1/policy_service';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { type Column, printable, table } from '../output.js';
import { stagesTitle, stageText } from './simulate-text.js';

interface Options {
  readonly tenant?: string;
}

const columns: readonly Column<RecordingSummary>[] = [
  { title: 'SESSION', value: (recording) => recording.sessionId },
  { title: 'LAST STEP', value: (recording) => new Date(recording.atMs).toISOString() },
  { title: 'FROM', value: ({ sender }) => sender },
  {
    title: 'TO',
    value: ({ recipient, recipients }) => (recipients > 1 ? `${recipient} and ${recipients - 1} more` : recipient),
  },
  { title: 'VERDICT', value: ({ verdict }) => verdict },
  { title: 'BYTES', value: (recording) => recording.bytes, right: true },
];

export function addSessionCommands(program: Command, run: Run): void {
  const session = program.command('session').description('sessions as they were judged');
  const record = session.command('record').description('recorded sessions of a tenant; they hold its mail');
  const scoped = (name: string, text: string): Command =>
    record.command(name).description(text).option('--tenant <name>', 'tenant; by default that of the key');
  for (const [name, on] of [
    ['on', true],
    ['off', false],
  ] as const)
    scoped(name, on ? 'begin to record' : 'record no more; what is there goes with its age').action(
      (options: Options, command: Command) =>
        run(command, async ({ api, output }) => {
          const set = await api.call(api.rpc.setSessionRecording, { tenant: options.tenant ?? '', on });
          output.show(set, () => `Sessions of ${set.tenant} are ${set.on ? 'recorded' : 'not recorded'}.`);
        }),
    );
  scoped('list', 'what is kept, newest first').action((options: Options, command: Command) =>
    run(command, async ({ api, output }) => {
      const query = { tenant: options.tenant ?? '' };
      const { result, on } = await api.call(api.rpc.listSessionRecordings, { query });
      const recordings = result?.recordings ?? [];
      output.show({ on, recordings }, () =>
        table(recordings, columns, on ? 'Nothing is recorded yet.' : 'Sessions are not recorded.'),
      );
    }),
  );
  scoped('show <session>', 'what was asked and decided then').action(
    (sessionId: string, options: Options, command: Command) =>
      run(command, async ({ api, output }) => {
        const query = { tenant: options.tenant ?? '', sessionId };
        const { result } = await api.call(api.rpc.getSessionRecording, { query });
        const steps = result?.recording?.steps ?? [];
        output.show(result?.recording ?? {}, () =>
          steps
            .flatMap(({ request, verdict, atMs, answers }) => [
              printable(
                `${new Date(atMs).toISOString()} from ${request?.facts?.origin?.clientAddress ?? ''}, ${answers.length} answers of DNS`,
              ),
              ...(verdict === undefined ? [] : [stageText(verdict, stagesTitle(request?.stages ?? []))]),
            ])
            .join('\n'),
        );
      }),
  );
}
