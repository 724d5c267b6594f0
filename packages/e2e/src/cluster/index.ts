export * from './cluster.js';
export * from './ledger.js';
export * from './run-file.js';
