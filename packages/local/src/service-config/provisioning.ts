/** The provisioning service's own section: its two ports, the operator file, the services it forwards to. */
import type { ServicePlan } from '../supervisor/plan.js';
import { type ConfigContext, commonSections, type Document } from './context.js';
import type { StreamLimits } from './stream-room.js';

const sizes = (limits: StreamLimits): Document =>
  Object.fromEntries(Object.entries(limits).map(([name, mebibytes]) => [name, `${mebibytes}MiB`]));

const overlayOf = ({ operatorOverlayFile, operatorOverlayTakenFile }: ConfigContext): Document => ({
  ...(operatorOverlayFile === undefined ? {} : { operatorOverlayFile }),
  ...(operatorOverlayTakenFile === undefined ? {} : { operatorOverlayTakenFile }),
});

export function provisioningConfig(context: ConfigContext, process: ServicePlan): Document {
  const { plan } = context;
  return {
    ...commonSections(context, process),
    provisioning: {
      listen: `127.0.0.1:${plan.provisioningPort}`,
      credentialsListen: `127.0.0.1:${plan.credentialsPort}`,
      operatorFile: context.operatorFile,
      ...overlayOf(context),
      sealKeyFile: context.sealKeyFile,
      bootstrapKeyFile: context.operatorKeyFile,
      queue: { address: `127.0.0.1:${plan.queuePort}` },
      policy: { addresses: plan.policies.map((port) => `127.0.0.1:${port}`) },
      natsMonitors: context.stores.nats.monitors,
      streams: { replicas: 1, maxBytes: sizes(context.streamLimits) },
    },
  };
}
