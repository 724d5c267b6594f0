/**
 * What a whole start asks before any process runs: is the configuration right that this service would get, and the operator file it names?
 * Nothing is connected; what only the database knows is judged when the document is applied.
 */
import { type ConfigCheck, ConfigError, type ConfigText, checkLayers } from '@postern/config';
import { provisioningConfig } from './config.js';
import { type Examined, examineOperatorDocument } from './operator/document.js';

/** An overlay of a whole start holds operator settings beside the sections of services. */
export const checkConfig: ConfigCheck = (input) => {
  const { problems, sections, value } = checkLayers(provisioningConfig, input, madeWhenMissing);
  const egressPools = value?.provisioning.egressPools;
  const texts = [...(input.operatorFile === undefined ? [] : [input.operatorFile]), ...input.overlays];
  const operator = examine(texts, egressPools);
  return { problems: [...problems, ...operator.problems], sections, notes: operator.notes, egressPools };
};

const madeWhenMissing = ['provisioning.bootstrapKeyFile'];

function examine(
  texts: readonly ConfigText[],
  egressPools: readonly string[] | undefined,
): Pick<Examined, 'problems' | 'notes'> {
  try {
    return examineOperatorDocument(texts, { egressPools });
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, notes: [] };
    throw error;
  }
}
