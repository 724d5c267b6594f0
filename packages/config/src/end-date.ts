/** When something ends, as people write it: `never`, a day (its end, UTC) or a time. Milliseconds since 1970, 0 = never; undefined where it is none of these. */
const day = /^\d{4}-\d{2}-\d{2}$/;
const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/;
const dayMs = 86_400_000;

export function parseEndDate(text: string): number | undefined {
  if (text === 'never') return 0;
  const isDay = day.test(text);
  if (!isDay && !time.test(text)) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || ms <= 0) return undefined;
  // Date.parse takes 30 February for 2 March.
  if (isDay && new Date(ms).toISOString().slice(0, 10) !== text) return undefined;
  return isDay ? ms + dayMs : ms;
}
