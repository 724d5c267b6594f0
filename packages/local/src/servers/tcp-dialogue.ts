/**
 * One short question to a line protocol over loopback, for readiness probes: connect, send, read until the answer
 * matches or the deadline passes. Bounded in time and bytes; any failure is an empty answer.
 */
import { connect } from 'node:net';

const maxAnswerBytes = 64 * 1024;

/** The bytes answered until `until` matches, or an empty string. */
export function askOnce(port: number, question: string, until: RegExp, withinMs = 1000): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (result: string) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(withinMs, () => finish(''));
    socket.once('error', () => finish(''));
    socket.once('close', () => finish(until.test(answer) ? answer : ''));
    socket.once('connect', () => socket.write(question));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (until.test(answer)) finish(answer);
      else if (answer.length > maxAnswerBytes) finish('');
    });
  });
}
