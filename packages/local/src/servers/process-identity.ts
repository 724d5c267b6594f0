/**
 * What tells a process from a later one that got its pid: when it started, in clock ticks since the machine did, and which start of the machine
 * that was. From /proc; undefined where there is none, and for a process that is gone.
 */
import { readFileSync } from 'node:fs';

/** proc_pid_stat(5): starttime is field 22; the name in field 2 may hold spaces and brackets. */
const startField = 22 - 3;

export function processIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not asked yet.
    if (fields[0] === 'Z' || fields[startField] === undefined) return undefined;
    return `${fields[startField]}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return undefined;
  }
}
