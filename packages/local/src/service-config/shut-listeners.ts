/** Listeners that the operator settings in the own file switch off (`enabled: false`): no port of theirs is open. The file was judged before. */
import { type ConfigText, type Located, locateTop } from '@postern/config';

const partOf = (at: Located | undefined, name: string): Located | undefined =>
  at?.kind === 'map' ? at.entries.get(name)?.value : undefined;

export function shutListeners(ownFile: ConfigText): string[] {
  const listeners = partOf(locateTop(ownFile), 'listeners');
  if (listeners?.kind !== 'map') return [];
  return [...listeners.entries].flatMap(([name, { value }]) => {
    const enabled = partOf(value, 'enabled');
    return enabled?.kind === 'scalar' && enabled.value === false ? [name] : [];
  });
}
