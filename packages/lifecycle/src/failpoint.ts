/**
 * Failpoints: named places between two durable steps where a test may kill the process (docs/architecture/durability.md). Armed only by the environment
 * variable POSTERN_FAILPOINT=`name:n` (dies at the n-th pass, default the first); unarmed it is one comparison. Kills with SIGKILL: no
 * handler runs, as in a power cut.
 */
const armed = process.env.POSTERN_FAILPOINT ?? '';
const [armedName = '', count = '1'] = armed.split(':');
let passesLeft = Number(count);

export function failpoint(name: string): void {
  if (armedName === '' || name !== armedName) return;
  passesLeft--;
  if (passesLeft <= 0) process.kill(process.pid, 'SIGKILL');
}
