export { checkHelo, checkMailFrom, type SpfContext, type SpfQuestion } from './spf/check-spf.js';
export { receivedSpf } from './spf/received-spf.js';
export type { SpfOutcome, SpfResult } from './spf/result.js';
