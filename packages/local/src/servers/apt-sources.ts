/**
 * The mirror this machine already uses, read from its own apt sources (deb822 `.sources` and one-line `.list`), so that
 * no host name is written into the project. Only the entry of the distribution's own suite with component `main` is
 * used; the caller changes the suite and nothing else.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface AptMirror {
  readonly uri: string;
  readonly components: string;
  /** Keyring file(s) that sign the mirror's index, if the source names them. */
  readonly signedBy: string | undefined;
}

function field(stanza: string, name: string): string | undefined {
  const match = new RegExp(`^${name}:[ \\t]*(.+)$`, 'im').exec(stanza);
  return match?.[1]?.trim();
}

/** Mirror of `codename` in the text of a deb822 file. */
export function mirrorInDeb822(text: string, codename: string): AptMirror | undefined {
  for (const stanza of text.replaceAll(/^#.*\n?/gm, '').split(/\n\s*\n/)) {
    if (field(stanza, 'Enabled')?.toLowerCase() === 'no') continue;
    const suites = field(stanza, 'Suites')?.split(/\s+/) ?? [];
    const components = field(stanza, 'Components')?.split(/\s+/) ?? [];
    const uri = field(stanza, 'URIs')?.split(/\s+/)[0];
    if (uri === undefined || !suites.includes(codename) || !components.includes('main')) continue;
    return { uri, components: usableComponents(components), signedBy: field(stanza, 'Signed-By') };
  }
  return undefined;
}

/** Mirror of `codename` in the text of a one-line style sources list. */
export function mirrorInList(text: string, codename: string): AptMirror | undefined {
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line);
    if (match === null) continue;
    const [, options = '', uri = '', suite, rest = ''] = match;
    const components = rest.replace(/#.*/, '').trim().split(/\s+/);
    if (suite !== codename || !components.includes('main')) continue;
    return { uri, components: usableComponents(components), signedBy: /signed-by=(\S+)/i.exec(options)?.[1] };
  }
  return undefined;
}

function usableComponents(components: readonly string[]): string {
  return components.filter((component) => component === 'main' || component === 'universe').join(' ');
}

/** The distribution this machine runs: `ID` and `VERSION_CODENAME` of os-release. */
export async function readDistribution(
  file = '/etc/os-release',
): Promise<{ id: string; codename: string } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const id = /^ID="?([^"\n]+)"?$/m.exec(text)?.[1];
  const codename = /^VERSION_CODENAME="?([^"\n]+)"?$/m.exec(text)?.[1];
  return id === undefined || codename === undefined ? undefined : { id, codename };
}

/** Look through the machine's sources for the mirror of its own suite. */
export async function findMirror(codename: string, etcApt = '/etc/apt'): Promise<AptMirror | undefined> {
  const parts = await readdir(join(etcApt, 'sources.list.d')).catch(() => []);
  const files = ['sources.list', ...parts.sort().map((name) => join('sources.list.d', name))];
  for (const file of files) {
    const text = await readFile(join(etcApt, file), 'utf8').catch(() => '');
    const mirror = file.endsWith('.sources') ? mirrorInDeb822(text, codename) : mirrorInList(text, codename);
    if (mirror !== undefined) return mirror;
  }
  return undefined;
}
