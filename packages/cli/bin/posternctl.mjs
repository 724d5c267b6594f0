#!/usr/bin/env node
// The name npm links: exists before the build, so that `npm install` can link it, and says what to do when it is run before the build.
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('posternctl: not built yet; run `npm start` or `npm run build` first.\n');
  process.exit(1);
}
await import(program.href);
