/** What a long suite says: one line per check with the time, at the end `N passed, N failed`. */

export interface Report {
  say(line: string): void;
  /** One check; `problems` empty = passed. At most ten problems are shown. */
  check(name: string, problems: readonly string[]): void;
  /** Runs a part; what it throws is a failed check of that name. */
  part(name: string, work: () => Promise<void>): Promise<void>;
  /** Prints the last line; the exit code of the program. */
  end(): number;
}

const shownProblems = 10;

export function startReport(): Report {
  const startedAt = Date.now();
  let passed = 0;
  let failed = 0;
  const say = (line: string): void =>
    console.log(`${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  const report: Report = {
    say,
    check(name, problems) {
      if (problems.length === 0) {
        passed++;
        say(`ok      ${name}`);
        return;
      }
      failed++;
      say(`FAILED  ${name} (${problems.length})`);
      for (const problem of problems.slice(0, shownProblems)) say(`          ${problem}`);
    },
    async part(name, work) {
      try {
        await work();
      } catch (error) {
        report.check(name, [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
      }
    },
    end() {
      say(`took ${((Date.now() - startedAt) / 1_000).toFixed(0)} s`);
      console.log(`${passed} passed, ${failed} failed`);
      return failed === 0 ? 0 : 1;
    },
  };
  return report;
}
