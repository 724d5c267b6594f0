/**
 * Dialog files against the whole front over doubles. Options besides `@listener`: policy, login, spool, overload, banner, snapshot (as JSON over the test's
 * own). How a dialog is written is in @postern/testkit/smtp; those without options are in packages/e2e/conformance and run against a cluster too.
 */
import { type Dialog, RawClient, readDialog, runDialog as run } from '@postern/testkit/smtp';
import type { ListenerRole } from '../session.js';
import { Doubles } from './doubles.js';

function setUp(doubles: Doubles, name: string, value: string): void {
  if (name === 'policy' && value === 'away') doubles.evaluate = () => ({ kind: 'unavailable', reason: 'test' });
  else if (name === 'login' && value === 'away') doubles.verify = () => ({ kind: 'unavailable', reason: 'test' });
  else if (name === 'spool' && value === 'full') doubles.spoolResult = { kind: 'full', reason: 'test' };
  else if (name === 'spool' && value === 'unknown') doubles.spoolResult = { kind: 'unknown', reason: 'test' };
  else if (name === 'snapshot') doubles.setSnapshot(JSON.parse(value));
  else if (name === 'overload') doubles.overloaded = value;
  else if (name === 'banner' && value === 'late')
    doubles.abuse = { ...doubles.abuse, beforeBanner: () => new Promise(() => undefined) };
  else throw new Error(`unknown option @${name} ${value}`);
}

/** A listener's role is the beginning of its name. */
function roleOf({ listener }: Dialog): ListenerRole {
  if (listener.startsWith('submissions')) return 'submissions';
  return listener.startsWith('submission') ? 'submission' : 'mx';
}

export async function runDialog(file: string): Promise<void> {
  const dialog = readDialog(file);
  const role = roleOf(dialog);
  const doubles = new Doubles();
  for (const { name, value } of dialog.options) setUp(doubles, name, value);
  const listener = await doubles.listen({ name: dialog.listener, role });
  try {
    await run(dialog, {
      connect: () => RawClient.open(listener.port, role === 'submissions'),
      stored: async () => doubles.stored.length,
      lastBody: async () => doubles.stored.at(-1)?.body ?? Buffer.alloc(0),
    });
  } finally {
    listener.destroy();
    await listener.drain();
  }
}
