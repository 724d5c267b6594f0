/**
 * Which policy pods there are: a list of host:port, or a name behind which they are found (`dns:///name:port`), looked up again every 10 s.
 * A name that cannot be looked up for now keeps the pods that are known.
 */
import type { Clock } from '@postern/clock';
import { createDnsClient, readResolvConf } from '@postern/dns';

export interface PodDirectory {
  stop(): void;
}

const lookUpEveryMs = 10_000;
const prefix = 'dns:///';

function splitPort(target: string): { readonly host: string; readonly port: string } {
  const colon = target.lastIndexOf(':');
  return { host: target.slice(0, colon), port: target.slice(colon + 1) };
}

export async function watchPods(
  addresses: readonly string[],
  clock: Clock,
  onPods: (addresses: readonly string[]) => void,
): Promise<PodDirectory> {
  const fixed = addresses.filter((address) => !address.startsWith(prefix));
  const names = addresses
    .filter((address) => address.startsWith(prefix))
    .map((address) => address.slice(prefix.length));
  if (names.length === 0) {
    onPods(fixed);
    return { stop: () => undefined };
  }
  const resolver = createDnsClient({ clock, servers: await readResolvConf() });
  const known = new Map<string, readonly string[]>();
  const lookUp = async (): Promise<void> => {
    for (const name of names) {
      const { host, port } = splitPort(name);
      const found = await resolver.addresses(host, { deadlineMs: 5_000 });
      if (found.kind !== 'answer') continue;
      known.set(
        name,
        found.values.map(({ address, family }) => (family === 6 ? `[${address}]:${port}` : `${address}:${port}`)),
      );
    }
    onPods([...fixed, ...[...known.values()].flat()]);
  };
  await lookUp();
  const timer = clock.setInterval(lookUpEveryMs, () => void lookUp(), { unref: true });
  return { stop: () => timer.cancel() };
}
