/**
 * What a whole start asks before any process runs: is the configuration right that this service would get, and the operator file it names?
 * Nothing is connected; what only the database knows is judged when the document is applied.
 */
import { type ConfigCheck, ConfigError, type ConfigText, checkLayers, type Problem } from '@postern/config';
import { provisioningConfig } from './config.js';
import { examineOperatorDocument } from './operator/document.js';

/** An overlay of a whole start holds operator settings beside the sections of services. */
export const checkConfig: ConfigCheck = (input) => {
  const { problems, sections } = checkLayers(provisioningConfig, input, madeWhenMissing);
  const texts = [...(input.operatorFile === undefined ? [] : [input.operatorFile]), ...input.overlays];
  return { problems: [...problems, ...operatorProblems(texts)], sections };
};

const madeWhenMissing = ['provisioning.bootstrapKeyFile'];

function operatorProblems(texts: readonly ConfigText[]): readonly Problem[] {
  try {
    return examineOperatorDocument(texts).problems;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
