/**
 * The reading side of the mailbox sink, for `posternctl mailbox` and tests, on loopback:
 * GET /messages?recipient=&limit= (newest first), /messages/<id>, /messages/<id>/raw, /count?recipient=, /readyz.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { MessageStore } from './message-store.js';

const mostListed = 10_000;
const largestShown = 1024 * 1024;

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}

async function shown(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= largestShown) break;
  }
  return Buffer.concat(chunks).subarray(0, largestShown).toString('utf8');
}

async function answer(store: MessageStore, url: URL, response: ServerResponse): Promise<void> {
  const recipient = url.searchParams.get('recipient') ?? undefined;
  if (url.pathname === '/readyz') return json(response, 200, { ready: true });
  if (url.pathname === '/count') return json(response, 200, { count: await store.count(recipient) });
  if (url.pathname === '/messages') {
    const asked = Number(url.searchParams.get('limit') ?? '100');
    const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, mostListed) : 100;
    return json(response, 200, { messages: await store.list(recipient, limit) });
  }
  const match = /^\/messages\/([^/]+)(\/raw)?$/.exec(url.pathname);
  const found = match?.[1] === undefined ? undefined : await store.find(match[1]);
  if (found === undefined) return json(response, 404, { error: 'no such message' });
  if (match?.[2] === '/raw') {
    response.writeHead(200, { 'content-type': 'message/rfc822', 'content-length': found.message.bytes });
    pipeline(found.body(), response, () => {});
    return;
  }
  return json(response, 200, { ...found.message, text: await shown(found.body()) });
}

export function createHttpFront(store: MessageStore): Server {
  return createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (request.method !== 'GET') return json(response, 405, { error: 'only GET' });
    answer(store, url, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else json(response, 500, { error: error instanceof Error ? error.message : String(error) });
    });
  });
}
