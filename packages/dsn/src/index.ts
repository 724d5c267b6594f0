export { buildReport } from './build.js';
export * from './notify.js';
export { type ParsedRecipient, type ParsedReport, parseReport } from './parse.js';
export type { Report, ReportAction, ReportedRecipient, ReportFacts, ReportText, ReturnedMessage } from './report.js';
