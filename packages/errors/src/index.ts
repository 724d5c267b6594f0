export { type CatalogueEntry, catalogue, type ErrorId, errorIds, grpcCodes, isErrorId } from './catalogue.js';
export { isPosternError, PosternError, toPosternError } from './postern-error.js';
export { errorsMarkdown } from './reference.js';
