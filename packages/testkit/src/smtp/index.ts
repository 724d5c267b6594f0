export * from './messages.js';
export * from './smtp-sender.js';
export * from './smtp-sink.js';
