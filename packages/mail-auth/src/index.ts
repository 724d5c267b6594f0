export { BodyHash } from './dkim/body-hash.js';
export type { KeyPolicy } from './dkim/public-key.js';
export { DkimSigner, readSigningKey, type SigningKey, type SigningOptions } from './dkim/sign.js';
export { type DkimContext, type DkimResult, DkimVerifier, verifyDkim } from './dkim/verify.js';
export { checkHelo, checkMailFrom, type SpfContext, type SpfQuestion } from './spf/check-spf.js';
export { receivedSpf } from './spf/received-spf.js';
export type { SpfOutcome, SpfResult } from './spf/result.js';
