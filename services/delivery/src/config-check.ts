/** What a whole start asks before any process runs: is the configuration right that this service would get? Nothing is connected. */
import { type ConfigCheck, checkLayers } from '@postern/config';
import { deliveryConfig } from './config.js';

export const checkConfig: ConfigCheck = (input) => {
  const { problems, sections, value } = checkLayers(deliveryConfig, input);
  return { problems, sections, egressPools: value?.delivery.egressPools.map(({ name }) => name) };
};
