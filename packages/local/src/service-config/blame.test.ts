import { expect, test } from 'vitest';
import { SetupError } from '../setup-error.js';
import { blameOverlay } from './blame.js';

const said =
  'delivery-0 ended: /d/config/delivery-0.yaml:22: delivery.concurrency: "lots" is not allowed; expected a number';
const blamed = (overlay: object, file: string | undefined = '/home/me/my.yaml'): string =>
  String(blameOverlay(new SetupError(said, 'see the log.'), ['/d/config/delivery-0.yaml'], { ...overlay }, file));

test('a section of the own file is blamed on that file', () => {
  const line = blamed({ delivery: { concurrency: 'lots' } });
  expect(line).toContain('delivery-0 ended: /home/me/my.yaml: delivery.concurrency: "lots" is not allowed');
  expect(line).toContain('Way out: correct /home/me/my.yaml.');
});

test('what the own file does not hold is not its fault', () => {
  expect(blamed({ edge: {} })).toContain('/d/config/delivery-0.yaml:22: ');
});

test('other errors pass', () => {
  const error = new Error('x');
  expect(blameOverlay(error, ['/d/x.yaml'], {}, '/my.yaml')).toBe(error);
});
