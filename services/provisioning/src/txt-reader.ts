/** TXT records for the verification of domains: asked of the operator's DNS servers, else of those of the pod. */
import { systemClock } from '@postern/clock';
import { createDnsClient, isTemporary, readResolvConf, SwitchingResolver } from '@postern/dns';

/** The reader answers undefined when nobody answered. */
export async function txtReader(
  servers: () => readonly string[],
): Promise<(name: string) => Promise<readonly string[] | undefined>> {
  const pods = await readResolvConf().catch(() => []);
  const resolver = new SwitchingResolver(
    systemClock,
    { servers: pods.length > 0 ? pods : ['127.0.0.1:53'] },
    (settings) => createDnsClient({ clock: systemClock, ...settings }),
  );
  return async (name) => {
    resolver.use({ servers: servers() });
    const found = await resolver.txt(name);
    if (found.kind === 'answer') return found.values;
    return isTemporary(found) ? undefined : [];
  };
}
