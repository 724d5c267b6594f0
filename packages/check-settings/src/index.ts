export { isListEntry } from './address-lists.js';
export { type CheckName, type CheckSettings, checksSchema } from './all.js';
export { type FailureAction, failureActions } from './base.js';
export { countryFaults } from './country-codes.js';
export { type EffectiveField, effectiveFields, type SettingsLayer } from './effective.js';
export { type IdleCheck, idleChecks, idleInPatch } from './idle.js';
export {
  type CheckPatch,
  checkPatch,
  defaultSettings,
  type LeftOut,
  readPatch,
  readSettings,
  settingsOf,
  type UsablePatch,
  usablePatch,
  writeSettings,
} from './scope.js';
