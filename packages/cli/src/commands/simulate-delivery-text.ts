/** What rules about delivery would decide for one recipient, as people read it: after the verdicts, in the order a message would meet it. */
import type { SimulatedDelivery } from '@postern/proto/queue/v1/queue_service';
import { printable } from '../output.js';

const outcomes: Readonly<Record<string, string>> = {
  go: 'goes',
  bounce: 'comes back',
  bounced: 'comes back',
  defer: 'waits',
  hold: 'is held',
  unrouted: 'waits for a route',
  expired: 'comes back, its time is over',
};

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

export function deliveryText(delivery: SimulatedDelivery): string {
  const { recipient, event, outcome, text, route, reply, delaysMs, expiresAfterMs, notice, rules } = delivery;
  const waits = delaysMs.length === 0 ? '' : `tried again after ${delaysMs.map(seconds).join(', ')}`;
  const until = expiresAfterMs === 0 ? '' : `until ${seconds(expiresAfterMs)} after acceptance`;
  const parts = [
    `${outcomes[outcome] ?? `is ${outcome}`}${route === '' ? '' : ` by ${route}`}`,
    text === '' ? '' : `"${text}"`,
    event === 'relay' || outcome === 'waits' ? [waits, until].filter((part) => part !== '').join(' ') : '',
    notice === '' ? '' : `report says "${notice}"`,
  ];
  const said = parts.filter((part) => part !== '').join(', ');
  const supposed = reply === '' ? '' : ` if answered "${reply}"`;
  return [
    `  ${event.padEnd(9)} <${recipient}>${supposed}: ${said}`,
    ...rules.map(({ outcome: action, evidence }) => `    ${'rule'.padEnd(12)} ${action.padEnd(12)} ${evidence}`),
  ]
    .map(printable)
    .join('\n');
}
