/** The delivery service's own section: one egress pool that may use any address of this machine. */
import type { ServicePlan } from '../supervisor/plan.js';
import { type ConfigContext, commonSections, type Document } from './context.js';

export function deliveryConfig(context: ConfigContext, process: ServicePlan): Document {
  return {
    ...commonSections(context, process),
    delivery: {
      podName: process.instance,
      egressPools: [{ name: 'default', localAddresses: [] }],
      sealKeyFile: context.sealKeyFile,
    },
  };
}
