/**
 * Known words for somebody who wrote another: the one nearest to a mistyped word, for "did you mean" (nothing when none is near), else all of
 * them, or the nearest few where they are many, so that a fault stays one readable line.
 */
const mostNamed = 12;
const fewNamed = 6;

/** `a, b, c`, or `a, b, ... or 33 others (docs/reference/config)`. */
export function choices(word: string, known: readonly string[]): string {
  if (known.length <= mostNamed) return known.join(', ');
  const ranked = known.map((name) => ({ name, away: remoteness(word, name) })).sort((a, b) => a.away - b.away);
  const few = ranked.slice(0, fewNamed).map(({ name }) => name);
  return `${few.join(', ')} or ${known.length - fewNamed} others (docs/reference/config)`;
}

/** A name that holds the word, or is held by it, is nearer than one that is only spelt alike; then what begins alike. */
function remoteness(word: string, name: string): number {
  const [a, b] = [word.toLowerCase(), name.toLowerCase()];
  const shorter = Math.min(a.length, b.length);
  if (shorter > 2 && (a.includes(b) || b.includes(a))) return 0;
  let alike = 0;
  while (alike < shorter && a[alike] === b[alike]) alike++;
  return 1 + editDistance(a, b, 1_000) - alike;
}

export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.floor(word.length / 2) + 1);
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit || a.length > 64) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? limit;
}
