#!/usr/bin/env node
// The name npm links: exists before the build, so that `npm install` can link it, and says what to do when it is run before the build. On a Node that is
// older than the program needs it hands over to the one the installation brought, as npx does. Plain JavaScript for Node 20.11 or newer.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/main.js', import.meta.url);
const pinned = fileURLToPath(new URL('../../../node_modules/.bin/node', import.meta.url));

function give(line) {
  process.stderr.write(`posternctl: ${line}\n`);
  process.exit(1);
}

function isNewEnough() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 19);
}

function handOver() {
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => give(`cannot run ${pinned}: ${error.message}`));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 130);
  });
}

if (!existsSync(program)) give('not built yet; run `npm start` or `npm run build` first.');
if (isNewEnough()) await import(program.href);
else if (existsSync(pinned)) handOver();
else give(`this Node is ${process.versions.node}; run it with Node 22.19 or newer.`);
