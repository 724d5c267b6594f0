/**
 * Servers of the person's own, named by POSTERN_NATS_URL, POSTERN_REDIS_URL and POSTERN_DATABASE_URL: each must answer before anything is
 * started. Services would wait for them, which is right while running and only puzzling at a first start.
 */
import { connect } from 'node:net';
import { SetupError, systemErrorCode } from '../setup-error.js';

const variables = [
  ['POSTERN_NATS_URL', 4222],
  ['POSTERN_REDIS_URL', 6379],
  ['POSTERN_DATABASE_URL', 5432],
] as const;
const withinMs = 3_000;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up',
  EHOSTUNREACH: 'there is no way to that address',
  ENETUNREACH: 'there is no way to that address',
};

/** Services take their stores from their files; these names mean something else to npm start than to a service. */
export const withoutStoreNames: Readonly<Record<string, string>> = Object.fromEntries(
  variables.map(([name]) => [name, '']),
);

/** Why nobody answers, or undefined. */
function unanswered(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (reason: string | undefined) => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(withinMs, () => finish(`no answer within ${withinMs / 1_000} s`));
    socket.once('connect', () => finish(undefined));
    socket.once('error', (error) => finish(reasons[systemErrorCode(error) ?? ''] ?? error.message));
  });
}

/** Nodes of one NATS cluster are named with commas between them. */
export const namedUrls = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** The URLs have been read before: they are well-formed. One node of several is enough: the others may be down. */
export async function assertNamedStoresAnswer(environment: NodeJS.ProcessEnv): Promise<void> {
  for (const [name, usualPort] of variables) {
    const nodes = namedUrls(environment[name]).map((text) => {
      const { hostname, port } = new URL(text);
      return { hostname, port: Number(port) || usualPort };
    });
    const answers = await Promise.all(
      nodes.map(({ hostname, port }) => unanswered(hostname.replace(/^\[|\]$/g, ''), port)),
    );
    const [reason] = answers;
    const [first] = nodes;
    if (first === undefined || answers.includes(undefined)) continue;
    const { hostname, port } = first;
    throw new SetupError(
      `The server of ${name}, ${hostname}:${port}, cannot be reached: ${reason}.`,
      `start it, correct ${name}, or unset it: then npm start runs a server of its own.`,
    );
  }
}
