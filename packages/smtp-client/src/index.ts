export type { Capabilities } from './capabilities.js';
export { type ConnectResult, connectSmtp } from './connect.js';
export type { SmtpConnection } from './connection.js';
export { DotStuffer, type Stuffed } from './dot-stuffing.js';
export type { ConnectionFailure, FailureReason, Stage } from './failure.js';
export { connectOrFallBack } from './fall-back.js';
export { hopOptions, tlsModeOf } from './next-hop.js';
export {
  type ConnectOptions,
  type Credentials,
  DEFAULT_TIMEOUTS,
  type Timeouts,
  type TlsMode,
  type TlsSettings,
} from './options.js';
export type {
  MissingFeature,
  OutboundMessage,
  OutboundRecipient,
  RecipientOutcome,
  ReplyStage,
  SendResult,
} from './outcome.js';
export type { TlsInfo } from './tls-upgrade.js';
export type { TranscriptLine, TranscriptOptions, TranscriptSink } from './transcript.js';
