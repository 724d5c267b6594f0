/**
 * 100 tenants and 10,000 users through the provisioning API: in bounded time, and each user is accepted at RCPT on every edge less than 2 s after the
 * answer of the call that made it.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  CreateDomainRequest,
  CreateTenantRequest,
  CreateUserRequest,
  ProvisioningServiceClient,
} from '@postern/proto/provisioning/v1/provisioning_service';
import { SmtpSender } from '@postern/testkit/smtp';
import { mxPorts, type ScaleContext } from './limits-part.js';

export interface ManyUsersOptions {
  readonly tenants: number;
  readonly users: number;
}

const atOnce = 12;
const longestCreationMs = 240_000;
const longestDelayMs = 2_000;
/** Every so many users one is watched until it is accepted. */
const watchEvery = 100;

type Call<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: { deadline: number },
  done: (error: ServiceError | null, response: R) => void,
) => unknown;

async function apiOf({ cluster }: ScaleContext) {
  const { provisioning } = await cluster.run();
  const client = new ProvisioningServiceClient(provisioning.address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${(await readFile(provisioning.keyFile, 'utf8')).trim()}`);
  const call = <Q, R>(client: Client, method: Call<Q, R>, request: Q): Promise<R> =>
    new Promise((resolve, reject) => {
      method.call(client, request, metadata, { deadline: Date.now() + 30_000 }, (error, response) =>
        error === null ? resolve(response) : reject(error),
      );
    });
  return { client, call };
}

/** Milliseconds until every edge accepts the address; undefined = not in ten seconds. */
async function acceptedAfter(address: string, ports: readonly number[], since: number): Promise<number | undefined> {
  const each = await Promise.all(
    ports.map(async (port) => {
      const sender = await SmtpSender.open({ port, timeoutMs: 15_000 });
      try {
        await sender.greet();
        await sender.command('MAIL FROM:<a@sender.test>');
        while (Date.now() - since < 10_000) {
          const { code } = await sender.command(`RCPT TO:<${address}>`);
          if (code === 250) return Date.now() - since;
          await sleep(50);
        }
        return undefined;
      } finally {
        sender.destroy();
      }
    }),
  );
  return each.reduce<number | undefined>(
    (slowest, one) => (slowest === undefined || one === undefined ? undefined : Math.max(slowest, one)),
    0,
  );
}

const domainOf = (tenant: number): string => `t${tenant}.scale.test`;

export async function scaleUsers(context: ScaleContext, options: ManyUsersOptions): Promise<void> {
  const { report } = context;
  await context.setLimits({ errorsPerSession: 10_000 });
  const ports = await mxPorts(context);
  const { client, call } = await apiOf(context);
  const inParallel = async (count: number, one: (number: number) => Promise<void>): Promise<void> => {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) await one(next++);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  };
  try {
    const startedAt = Date.now();
    await inParallel(options.tenants, async (number) => {
      const name = `scale-${number}`;
      await call(client, client.createTenant, CreateTenantRequest.fromPartial({ tenant: { name, weight: 1 } }));
      const domain = { name: domainOf(number), tenant: name, nextHop: '', validateRecipients: true };
      await call(client, client.createDomain, CreateDomainRequest.fromPartial({ domain, assumeVerified: true }));
    });
    report.say(`        ${options.tenants} tenants with a domain in ${Date.now() - startedAt} ms`);
    const delays: (number | undefined)[] = [];
    const watches: Promise<unknown>[] = [];
    const usersFrom = Date.now();
    await inParallel(options.users, async (number) => {
      const tenant = number % options.tenants;
      const address = `u${number}@${domainOf(tenant)}`;
      const user = { address, tenant: `scale-${tenant}` };
      await call(client, client.createUser, CreateUserRequest.fromPartial({ user }));
      if (number % watchEvery !== watchEvery - 1) return;
      const since = Date.now();
      watches.push(acceptedAfter(address, ports, since).then((delay) => delays.push(delay)));
    });
    const took = Date.now() - usersFrom;
    await Promise.all(watches);
    report.check(
      `${options.users} users in ${(took / 1_000).toFixed(1)} s (${Math.round(options.users / (took / 1_000))} a second)`,
      took <= longestCreationMs ? [] : [`longer than ${longestCreationMs} ms`],
    );
    const slow = delays.filter((delay) => delay === undefined || delay >= longestDelayMs);
    const slowest = Math.max(...delays.map((delay) => delay ?? Number.POSITIVE_INFINITY));
    report.check(
      `accepted on all edges within 2 s of the answer (${delays.length} watched, slowest ${slowest} ms)`,
      slow.map((delay) => `${delay ?? 'never'} ms`),
    );
    await sleep(2_000);
    report.check('all users are known at the end', await unknownUsers(ports, options));
  } finally {
    client.close();
  }
}

const perTransaction = 100;

async function unknownUsers(ports: readonly number[], options: ManyUsersOptions): Promise<string[]> {
  const unknown: string[] = [];
  for (let first = 0; first < options.users; first += perTransaction) {
    const group = Array.from(
      { length: Math.min(perTransaction, options.users - first) },
      (_, index) => `u${first + index}@${domainOf((first + index) % options.tenants)}`,
    );
    const sender = await SmtpSender.open({
      port: ports[(first / perTransaction) % ports.length] ?? 0,
      timeoutMs: 60_000,
    });
    await sender.greet();
    sender.write(`MAIL FROM:<a@sender.test>\r\n${group.map((address) => `RCPT TO:<${address}>\r\n`).join('')}`);
    await sender.reply();
    for (const address of group) {
      const { code, text } = await sender.reply();
      if (code !== 250) unknown.push(`${address}: ${code} ${text}`);
    }
    await sender.quit();
  }
  return unknown;
}
