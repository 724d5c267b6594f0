// `npm test`: install, build, fetch the servers the suites start, run vitest, and end in one line `N passed, N failed`.
// The counts come from vitest's own report; a file that could not be loaded and an error outside a test count as failed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, runPinned } from './pinned.mjs';

let passed = 0;
let failed = 1;
let code = 1;
process.on('exit', () => {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = code === 0 && failed === 0 ? 0 : 1;
});

function count(reportFile, exitCode) {
  const report = JSON.parse(readFileSync(reportFile, 'utf8'));
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const counted = report.numFailedTests + unloaded;
  return { passed: report.numPassedTests, failed: counted === 0 && exitCode !== 0 ? 1 : counted };
}

// Suites that need more than a fresh clone run apart: `npm run test:neighbours`.
const chosen = process.argv.some((argument) => argument.startsWith('--project'));
const projects = chosen ? [] : ['--project=unit', '--project=e2e'];

ensureInstalled();
ensureBuilt();
// Before the first test, so that no test's own time limit pays for a download.
const ready = await runPinned(['packages/local/dist/prepare-servers.js']);
const folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
try {
  if (ready === 0) {
    const report = join(folder, 'report.json');
    code = await runPinned([
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--config',
      join(root, 'packages', 'testkit', 'vitest.config.ts'),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...projects,
      ...process.argv.slice(2),
    ]);
    ({ passed, failed } = count(report, code));
  }
} catch (error) {
  process.stderr.write(`postern: no test report (${error.message})\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
