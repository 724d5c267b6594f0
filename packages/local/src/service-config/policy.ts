/** The policy service's own section. DNS servers and checks come from the snapshot. */
import type { ServicePlan } from '../supervisor/plan.js';
import { type ConfigContext, commonSections, type Document } from './context.js';

export function policyConfig(context: ConfigContext, process: ServicePlan): Document {
  const port = context.plan.policies[process.index];
  return { ...commonSections(context, process), policy: { listen: `127.0.0.1:${port}`, podName: process.instance } };
}
