export {
  type Cidr,
  formatCidr,
  formatHostPort,
  type HostPort,
  isNetwork,
  networkHint,
  parseCidr,
  parseHostPort,
} from './addresses.js';
export { commonSections, serviceSections } from './common-sections.js';
export { type ConfigDefinition, type ConfigOf, defineConfig, environmentName } from './define.js';
export { type Checked, checkDocument, checkYaml, parseDocument, parseYaml } from './document.js';
export { parseEndDate } from './end-date.js';
export { type Fault, type FieldPath, faultsOf, pathText, placeOf } from './fault.js';
export {
  type ConfigCheck,
  type ConfigCheckResult,
  type ConfigText,
  checkLayers,
  layMaps,
  locateTop,
} from './layers.js';
export { type ConfigSources, loadConfig } from './load.js';
export { type Located, type LocatedMap, locateYaml } from './located.js';
export { type Fields, type ObjectOf, type RawObjectOf, reportUnknownKey } from './object.js';
export { overlap } from './overlap.js';
export type { Environment } from './overrides.js';
export { applyPatch, patchFieldOf, patchOf } from './patch.js';
export { type PlainValue, plainOf } from './plain.js';
export { type PrintOptions, printConfig } from './print.js';
export { answersCommand } from './print-command.js';
export { ConfigError, maskCredentials, type Problem, problemLine, quoteValue } from './problem.js';
export { formatBytes, formatDuration, parseBytes, parseDuration } from './quantities.js';
export { documentJsonSchema, documentMarkdown, exampleYaml, jsonSchema, referenceMarkdown } from './reference.js';
export { s } from './s.js';
export { type Infer, type JsonSchema, type Kind, type Presence, Reader, type Schema } from './schema.js';
export { readSecret, readSecretBytes } from './secret.js';
export { nearest } from './suggest.js';
