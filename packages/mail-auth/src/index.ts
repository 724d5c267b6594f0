export { type ArcContext, type ArcResult, ArcVerifier, verifyArc } from './arc/verify.js';
export {
  type BodyDigest,
  type BodyDigests,
  type BodyForm,
  type DigestsByForm,
  keyOf,
  OwnDigests,
} from './dkim/body-digests.js';
export { BodyHash } from './dkim/body-hash.js';
export { type KeyPolicy, PublicKeyCache } from './dkim/public-key.js';
export { DkimSigner, readSigningKey, type SigningKey, type SigningOptions } from './dkim/sign.js';
export { type DkimContext, type DkimResult, DkimVerifier, type PendingSignature, verifyDkim } from './dkim/verify.js';
export { type AuthorDomains, authorDomains } from './dmarc/author-domain.js';
export { type DmarcIdentity, type DmarcQuestion, type DmarcResult, evaluateDmarc } from './dmarc/evaluate.js';
export { type DmarcPolicy, type DmarcRecord, parseDmarcRecord } from './dmarc/record.js';
export { type DomainKeysResult, DomainKeysVerifier } from './domainkeys/verify.js';
export { checkHelo, checkMailFrom, mailFromDomain, type SpfContext, type SpfQuestion } from './spf/check-spf.js';
export { receivedSpf } from './spf/received-spf.js';
export type { SpfOutcome, SpfResult } from './spf/result.js';
