export * from './dialog.js';
export * from './messages.js';
export * from './raw-client.js';
export * from './smtp-sender.js';
export * from './smtp-sink.js';
