import { expect, test } from 'vitest';
import { createSlots } from './slots.js';

test('a site never has more than its slots, and a freed one goes to who waits first', async () => {
  const slots = createSlots(2);
  const order: string[] = [];
  const free1 = await slots.take('mx');
  const free2 = await slots.take('mx');
  const third = slots.take('mx').then((free) => {
    order.push('third');
    return free;
  });
  const fourth = slots.take('mx').then((free) => {
    order.push('fourth');
    return free;
  });
  const elsewhere = await slots.take('other');
  expect(order).toEqual([]);
  free1();
  free1();
  const free3 = await third;
  expect(order).toEqual(['third']);
  free2();
  (await fourth)();
  free3();
  elsewhere();
  expect(order).toEqual(['third', 'fourth']);
});
