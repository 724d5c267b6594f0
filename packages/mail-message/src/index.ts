export * from './authentication-results.js';
export * from './date.js';
export * from './header-edit.js';
export * from './header-edit-stream.js';
export * from './header-section.js';
export * from './received.js';
