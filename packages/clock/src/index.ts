export { type Clock, systemClock, type Timer, type TimerOptions } from './clock.js';
export { FakeClock } from './fake-clock.js';
export { type Random, seededRandom, systemRandom } from './random.js';
export { createUlidSource, isUlid, type UlidSource, ulidTime } from './ulid.js';
