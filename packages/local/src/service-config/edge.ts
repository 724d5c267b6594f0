/** The edge's own section: listeners, certificate, where policy and credentials answer. */
import type { ServicePlan } from '../supervisor/plan.js';
import { type ConfigContext, commonSections, type Document } from './context.js';

export function edgeConfig(context: ConfigContext, process: ServicePlan): Document {
  const { plan, certificates } = context;
  const ports = plan.edges[process.index];
  if (ports === undefined) throw new Error(`no ports planned for ${process.instance}`);
  const listener = (name: keyof typeof ports) => ({ name, role: name, address: `127.0.0.1:${ports[name]}` });
  return {
    ...commonSections(context, process),
    edge: {
      podName: process.instance,
      listeners: [listener('mx'), listener('submission'), listener('submissions')],
      tls: { certFile: certificates.certificateFile, keyFile: certificates.keyFile },
      portOffset: process.index,
      ticketKeyFile: context.ticketKeyFile,
      policy: { addresses: plan.policies.map((port) => `127.0.0.1:${port}`) },
      credentials: { address: `127.0.0.1:${plan.credentialsPort}` },
    },
  };
}
