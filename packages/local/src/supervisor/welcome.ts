/**
 * The last lines of a start: how to send the first message with what people have, and where to look.
 */
import { relative, resolve } from 'node:path';
import type { RunFile } from './run-file.js';

/** `shut`: listeners whose settings say `enabled: false`. */
export function welcome(
  run: RunFile,
  dataDir: string,
  standing: string,
  detached: boolean,
  shut: readonly string[] = [],
): string {
  const [host = '127.0.0.1', port = '2525'] = (run.listeners.mx[0] ?? '').split(':');
  const submission = run.listeners.submission[0] ?? '';
  const shown = (path: string) => {
    const short = relative(standing, path);
    return short.startsWith('..') ? path : short;
  };
  const serving = Object.entries(run.listeners).map(([name, addresses]) =>
    shut.includes(name) ? `${name} is switched off` : `${name} ${addresses.join(' ')}`,
  );
  const at = resolve(standing, '.postern') === dataDir ? '' : ` --data ${shown(dataDir)}`;
  const to = run.demo.user;
  const looks: readonly (readonly [string, string])[] = [
    [`npx --offline posternctl${at} mailbox`, 'what has arrived'],
    [`npx --offline posternctl${at} trace QUEUE-ID`, 'the way of one message; the id is in the 250 reply'],
    [`npx --offline posternctl${at} status`, 'services, streams, durability'],
    [`${shown(dataDir)}/logs`, 'one log per service; those of stores are in folders beside it'],
    [`${shown(dataDir)}/run.json`, 'pids and addresses'],
  ];
  const width = Math.max(...looks.map(([where]) => where.length));
  const message = `'From: you@example.org\\nTo: ${to}\\nSubject: hello\\n\\nHello Postern\\n'`;
  return `
Postern is running: ${serving.join(', ')}

Send a mail:
  swaks --server ${host}:${port} --from you@example.org --to ${to}
  printf ${message} | curl -v --crlf --url smtp://${host}:${port}/me.test --mail-from you@example.org --mail-rcpt ${to} --upload-file -
  python3 -c "import smtplib; s = smtplib.SMTP('${host}', ${port}); s.set_debuglevel(1); s.sendmail('you@example.org', ['${to}'], 'From: you@example.org\\r\\nTo: ${to}\\r\\nSubject: hello\\r\\n\\r\\nHello Postern\\r\\n')"
Or as ${to} with login: port ${submission.split(':')[1]} (STARTTLS), password in ${shown(run.demo.passwordFile)}, authority ${shown(run.ca)}

Look here:
${looks.map(([where, what]) => `  ${where.padEnd(width)}   ${what}`).join('\n')}

${detached ? `Stop it with: npm start -- --stop${at}` : 'Ctrl-C drains and stops; a second Ctrl-C stops at once.'}
`;
}
