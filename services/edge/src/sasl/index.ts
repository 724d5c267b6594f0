/** Every mechanism that works, by its IANA name. A listener offers those its settings name and that stand here. */
import { login } from './login.js';
import type { Mechanism } from './mechanism.js';
import { plain } from './plain.js';

export const mechanisms: ReadonlyMap<string, Mechanism> = new Map([
  ['PLAIN', plain],
  ['LOGIN', login],
]);
