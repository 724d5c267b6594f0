export * from './body-store.js';
export * from './errors.js';
