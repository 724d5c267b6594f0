/** Keeps what was prepared for a literal, up to a bound; the oldest goes first. */
const CACHE_LIMIT = 10_000;

export function remember<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  if (cache.size >= CACHE_LIMIT) {
    const oldest = cache.keys().next();
    if (oldest.done !== true) cache.delete(oldest.value);
  }
  cache.set(key, value);
}
