/** What a whole start asks before any process runs: is the configuration right that this service would get? Nothing is connected. */
import { type ConfigCheck, checkLayers } from '@postern/config';
import { edgeConfig } from './config.js';

export const checkConfig: ConfigCheck = (input) => checkLayers(edgeConfig, input);
