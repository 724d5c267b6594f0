/** What the other services see of their dependencies, all processes of one service together: the worst of it, and of how many processes. Pure. */
import type { DependencyView, ServiceView } from '@postern/proto/provisioning/v1/service_view';

/** In the order mail passes them. */
const services = ['edge', 'policy', 'queue', 'delivery'];
const worstFirst = ['away', 'unknown', 'degraded', 'ok'];

const badness = ({ state }: DependencyView): number => {
  const place = worstFirst.indexOf(state);
  return place === -1 ? 0 : place;
};

function together(name: string, seen: readonly DependencyView[], processes: number): DependencyView {
  const [worst] = [...seen].sort((a, b) => badness(a) - badness(b));
  if (worst === undefined || worst.state === 'ok') return { name, state: 'ok', detail: '' };
  const same = seen.filter(({ state }) => state === worst.state).length;
  return { ...worst, detail: processes > 1 ? `${same} of ${processes} processes: ${worst.detail}` : worst.detail };
}

export function serviceViews(heard: readonly ServiceView[]): ServiceView[] {
  return services.map((service) => {
    const own = heard.filter((view) => view.service === service);
    const byName = Map.groupBy(
      own.flatMap(({ dependencies }) => dependencies),
      ({ name }) => name,
    );
    const dependencies = [...byName].map(([name, seen]) => together(name, seen, own.length));
    return { service, processes: own.length, dependencies };
  });
}

/** They are asked through NATS. */
export const viewsUnknown = (reason: string): ServiceView[] =>
  services.map((service) => ({
    service,
    processes: 0,
    dependencies: [{ name: 'all', state: 'unknown', detail: reason }],
  }));
