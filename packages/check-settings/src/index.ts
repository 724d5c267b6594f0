export { isListEntry } from './address-lists.js';
export { type CheckName, type CheckSettings, checksSchema } from './all.js';
export { type FailureAction, failureActions } from './base.js';
export { type IdleCheck, idleChecks, idleInPatch } from './idle.js';
export {
  type CheckPatch,
  checkPatch,
  defaultSettings,
  readPatch,
  readSettings,
  settingsOf,
  writeSettings,
} from './scope.js';
