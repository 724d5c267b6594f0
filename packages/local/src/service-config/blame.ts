/**
 * A wrong value that came from the person's own file is blamed on that file, not on the one we generated from it: nobody can correct the latter.
 * Only places of generated files are changed; the field, the value and what is allowed stay as the service said them.
 */
import { SetupError } from '../setup-error.js';
import type { Document } from './context.js';

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

export function blameOverlay(
  error: unknown,
  generatedFiles: readonly string[],
  overlay: Document,
  overlayFile: string | undefined,
): unknown {
  if (!(error instanceof SetupError) || overlayFile === undefined) return error;
  const files = generatedFiles.map(escaped).join('|');
  const place = new RegExp(`(?:${files}):\\d+: (?=([A-Za-z]+)[.:[])`, 'g');
  const problem = error.problem.replace(place, (text, section: string) =>
    Object.hasOwn(overlay, section) ? `${overlayFile}: ` : text,
  );
  return problem === error.problem ? error : new SetupError(problem, `correct ${overlayFile}.`);
}
