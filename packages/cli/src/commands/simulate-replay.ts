/** posternctl simulate --recorded: a session of the tenant judged again with what is configured now, its verdicts beside those of then. */
import { SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import type { CommandContext } from '../context.js';
import { printable } from '../output.js';
import { candidateRules } from './candidate-rules.js';
import type { SimulateOptions } from './simulate-options.js';
import { tried } from './simulate-question.js';
import { stagesTitle, stageText } from './simulate-text.js';
import { differences, refusedBy } from './verdict-difference.js';

/** Verdict beside verdict: what would be different now is marked. */
export async function replay(
  options: SimulateOptions,
  recorded: string,
  { api, output }: Pick<CommandContext, 'api' | 'output'>,
): Promise<void> {
  const tenant = options.tenant ?? '';
  const candidates = candidateRules(options);
  const query = SimulateRequest.fromPartial({ tenant, recorded, ...tried(options, candidates) });
  const { result } = await candidates.naming(api.call(api.rpc.simulateSession, { query, scene: undefined }));
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
