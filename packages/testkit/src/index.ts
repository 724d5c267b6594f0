export * from './certificates.js';
export { withFolders } from './folders.js';
export { oneNetwork } from './mmdb.js';
export * from './redis-cluster.js';
export * from './servers.js';
export { type SmallDisk, withSmallDisk } from './small-disk.js';
export * from './smtp/index.js';
