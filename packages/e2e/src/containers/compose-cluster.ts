/**
 * The cluster of docker-compose.yml, used as it is; only ports come from outside, through the variables the file offers.
 */
import { join } from 'node:path';
import type { Run } from './command.js';

export interface ComposePorts {
  readonly mx: number;
  readonly submission: number;
  readonly submissions: number;
  readonly mailbox: number;
}

export interface ComposeCluster {
  readonly ports: ComposePorts;
  build(): Promise<void>;
  /** What is wrong with the images built: a root user, more bytes than an image of ours should have. */
  imageFaults(): Promise<string[]>;
  up(...more: string[]): Promise<void>;
  down(...more: string[]): Promise<void>;
  /** Standard output of a command inside the container of a service. */
  inside(service: string, ...command: string[]): Promise<string>;
  /** Standard output of posternctl in a container of its own. */
  posternctl(...args: string[]): Promise<string>;
  logs(): Promise<string>;
}

const images = ['edge', 'policy', 'queue', 'delivery', 'provisioning', 'setup', 'mailbox', 'posternctl'];
/** Above the base image. */
const largestOwnBytes = 60 * 1_048_576;

export function composeCluster(run: Run, projectRoot: string, ports: ComposePorts): ComposeCluster {
  const env = {
    POSTERN_MX_PORT: String(ports.mx),
    POSTERN_SUBMISSION_PORT: String(ports.submission),
    POSTERN_SUBMISSIONS_PORT: String(ports.submissions),
    POSTERN_MAILBOX_PORT: String(ports.mailbox),
  };
  const project = [
    'compose',
    '--project-name',
    `postern-test-${process.pid}`,
    '--file',
    join(projectRoot, 'docker-compose.yml'),
  ];
  const compose = (args: readonly string[], timeoutMs = 300_000) =>
    run('docker', [...project, '--profile', 'tools', ...args], { env, cwd: projectRoot, timeoutMs });
  const inspect = async (image: string, format: string) =>
    (await run('docker', ['image', 'inspect', '--format', format, image])).trim();

  return {
    ports,
    build: async () => {
      await compose(['build'], 900_000);
    },
    imageFaults: async () => {
      const base = Number(await inspect('node:24-bookworm-slim', '{{.Size}}').catch(() => '0'));
      const faults = [];
      for (const image of images) {
        const user = await inspect(`postern/${image}`, '{{.Config.User}}');
        if (user !== '1000:1000') faults.push(`postern/${image} runs as \`${user}\``);
        const own = Number(await inspect(`postern/${image}`, '{{.Size}}')) - base;
        if (base > 0 && own > largestOwnBytes) faults.push(`postern/${image} adds ${own} bytes to its base`);
      }
      return faults;
    },
    up: async (...more) => {
      await run('docker', [...project, 'up', '--detach', '--no-build', ...more], {
        env,
        cwd: projectRoot,
        timeoutMs: 300_000,
      });
    },
    down: async (...more) => {
      await compose(['down', '--timeout', '40', ...more]);
    },
    inside: (service, ...command) => compose(['exec', '-T', service, ...command]),
    posternctl: (...args) => compose(['run', '--rm', '-T', 'posternctl', ...args]),
    logs: () => compose(['logs', '--no-color', '--tail', '40']),
  };
}
