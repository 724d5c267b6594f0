export { CallContext } from './call-context.js';
export {
  type ClientOptions,
  type ClientTls,
  createClient,
  type GrpcClient,
  type PerCall,
  type ServiceClientClass,
} from './client.js';
export { bidirectional, clientStreaming, serverStreaming, unary } from './handlers.js';
export { grpcEvents } from './observe.js';
export { requireScope, type ScopeRequirement, scopeOf } from './require-scope.js';
export {
  coversTenant,
  createScopeSource,
  everyTenant,
  type Scope,
  type ScopeCheck,
  type ScopeSourceOptions,
  scopeKeyName,
  signScope,
  verifyScope,
} from './scope.js';
export { createServer, type GrpcServer, type Handlers, type ServerOptions, type ServerTls } from './server.js';
export { errorIdKey, errorOf, isUnanswered, statusOf } from './status.js';
