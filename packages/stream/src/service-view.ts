/**
 * What each process sees of what it depends on, for `status`: provisioning asks once over plain NATS, every process looks and answers. Nothing is
 * stored and nothing waits for it: a process that does not answer in time is not heard of. A look is bounded and shared by those who ask at once.
 */
import type { Clock } from '@postern/clock';
import { type DependencyView, ServiceView } from '@postern/proto/provisioning/v1/service_view';
import type { StreamConnection } from './connection.js';
import { type ServiceUser, statusAnswer, statusQuestion } from './permissions.js';

export type Standing = { readonly state: 'ok' } | { readonly state: 'degraded' | 'away'; readonly detail: string };

export interface Dependency {
  readonly name: string;
  /** Asks it now; rejecting is `away`. */
  look(): Promise<Standing>;
}

const lookMs = 400;
/** Longer than a look, so that one that ends late is heard. */
const listenMs = 700;
/** Of a cluster; more are not counted. */
const mostViews = 1_000;
const longestDetail = 200;

/** Answers from now on, until the connection closes. */
export function answerStatus(
  connection: StreamConnection,
  service: ServiceUser,
  dependencies: readonly Dependency[],
  clock: Clock,
): void {
  let looking: Promise<Uint8Array> | undefined;
  const look = async (): Promise<Uint8Array> => {
    const seen = await Promise.all(dependencies.map((dependency) => viewOf(dependency, clock)));
    return ServiceView.encode({ service, processes: 1, dependencies: [natsView(connection), ...seen] }).finish();
  };
  connection.nats.subscribe(statusQuestion, {
    callback: (error, message) => {
      const nonce = message?.string();
      if (error !== null || !/^[0-9A-Z]{26}$/.test(nonce)) return;
      looking ??= look().finally(() => {
        looking = undefined;
      });
      void looking.then((bytes) => {
        if (!connection.nats.isClosed()) connection.nats.publish(statusAnswer(service, nonce), bytes);
      });
    },
  });
}

function natsView({ guard }: StreamConnection): DependencyView {
  const damage = guard.damage();
  return { name: 'nats', state: damage === undefined ? 'ok' : 'degraded', detail: shortened(damage ?? '') };
}

async function viewOf({ name, look }: Dependency, clock: Clock): Promise<DependencyView> {
  const late = Promise.withResolvers<Standing>();
  const timer = clock.setTimer(lookMs, () => late.resolve({ state: 'away', detail: `no answer in ${lookMs} ms` }));
  try {
    const standing = await Promise.race([look(), late.promise]);
    return { name, state: standing.state, detail: standing.state === 'ok' ? '' : shortened(standing.detail) };
  } catch (error) {
    return { name, state: 'away', detail: shortened(error instanceof Error ? error.message : String(error)) };
  } finally {
    timer.cancel();
  }
}

const shortened = (text: string): string => (text.split('\n')[0] ?? '').slice(0, longestDetail);

/** What every process that can be heard says. `nonce`: a ULID of this question. */
export async function askStatus(connection: StreamConnection, nonce: string, clock: Clock): Promise<ServiceView[]> {
  const views: ServiceView[] = [];
  const answers = connection.nats.subscribe(statusAnswer('*', nonce), {
    max: mostViews,
    callback: (error, message) => {
      const view = error === null ? readView(message.data) : undefined;
      // The servers let a service answer for itself alone.
      if (view !== undefined && message.subject === statusAnswer(view.service, nonce)) views.push(view);
    },
  });
  try {
    connection.nats.publish(statusQuestion, nonce);
    await clock.sleep(listenMs);
  } finally {
    answers.unsubscribe();
  }
  return views;
}

function readView(bytes: Uint8Array): ServiceView | undefined {
  try {
    return ServiceView.decode(bytes);
  } catch {
    return undefined;
  }
}
