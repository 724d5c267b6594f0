/** The queue service's own section. */
import type { ServicePlan } from '../supervisor/plan.js';
import { type ConfigContext, commonSections, type Document } from './context.js';

export function queueConfig(context: ConfigContext, process: ServicePlan): Document {
  return {
    ...commonSections(context, process),
    queue: { listen: `127.0.0.1:${context.plan.queuePort}`, podName: process.instance },
  };
}
