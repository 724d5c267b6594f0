export { ensureGsasl, ensureMsmtp, type Program } from './gnu-sasl.js';
export { type Kdc, type KdcOptions, startKdc } from './kerberos.js';
export { type Postfix, type PostfixOptions, startPostfix } from './postfix.js';
export { ensurePostfix, type PostfixBinary } from './postfix-binary.js';
export type { PostfixLayout, PostfixMode } from './postfix-files.js';
export { type Rbldnsd, startRbldnsd } from './rbldnsd.js';
export { type Rspamd, startRspamd } from './rspamd.js';
export { ensureSwaks, type Swaks } from './swaks.js';
