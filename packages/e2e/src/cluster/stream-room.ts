/** A stream with no room left, as when mail waits for long: what may go into it is refused until there is room again. Nothing in it is removed. */
import type { StreamConnection } from '@postern/stream';

export interface ClosedStream {
  /** Gives it back the room it had. */
  open(connection: StreamConnection): Promise<void>;
}

interface Settings {
  readonly max_bytes: number;
}

async function ask(connection: StreamConnection, subject: string, content: string): Promise<Settings> {
  const answer: unknown = (await connection.nats.request(subject, content)).json();
  const settings = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'config') : undefined;
  if (typeof settings?.max_bytes !== 'number') throw new Error(`${subject}: ${JSON.stringify(answer)}`);
  return settings;
}

/** The connection is one of provisioning, who alone may. */
export async function closeStream(connection: StreamConnection, stream: string): Promise<ClosedStream> {
  const settings = await ask(connection, `$JS.API.STREAM.INFO.${stream}`, '');
  const update = (by: StreamConnection, maxBytes: number): Promise<Settings> =>
    ask(by, `$JS.API.STREAM.UPDATE.${stream}`, JSON.stringify({ ...settings, max_bytes: maxBytes }));
  await update(connection, 1);
  return { open: async (by) => void (await update(by, settings.max_bytes)) };
}
