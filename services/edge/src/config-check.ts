/**
 * What a whole start asks before any process runs: is the configuration right that this service would get, and do its listeners and its patience go
 * together with the settings of listeners and checks in the operator file? Nothing is connected; the operator file itself is judged by provisioning.
 */
import { systemClock } from '@postern/clock';
import {
  type ConfigCheck,
  ConfigError,
  type ConfigText,
  checkLayers,
  type FieldPath,
  type Located,
  type LocatedMap,
  layMaps,
  locateTop,
  type Problem,
  parseDuration,
  pathText,
  placeOf,
} from '@postern/config';
import type { AgreedSettings } from '@postern/flow-control/session';
import { edgeConfig } from './config.js';
import { hurriedChecks, type WrittenCheck } from './hurried-checks.js';
import { disagreements, type ListenerSection } from './listener-agreement.js';
import { keytabFault } from './sasl/gssapi/keytab-fault.js';
import { cipherFault } from './tls/cipher-fit.js';
import { choosables, endingNotes } from './tls/material-faults.js';

type Edge = NonNullable<ReturnType<typeof checkLayers<(typeof edgeConfig)['fields']>>['value']>['edge'];

export const checkConfig: ConfigCheck = (input) => {
  const { problems: all, sections, value } = checkLayers(edgeConfig, input);
  const halves = halfPairs(input.overlays);
  const problems = halves.length === 0 ? all : [...all.filter(({ path }) => !path.startsWith('edge.tls')), ...halves];
  if (value === undefined) return { problems, sections };
  const texts = [...(input.operatorFile === undefined ? [] : [input.operatorFile]), ...input.overlays];
  const found = compare(value.edge, texts);
  return { problems: [...problems, ...found.problems], sections, notes: found.notes };
};

/** A certificate of the person's own with the key that was generated, or the reverse: said where one of the two is written. */
function halfPairs(overlays: readonly ConfigText[]): Problem[] {
  const written = operatorMap(overlays);
  const tls = partOf(partOf(written, 'edge'), 'tls');
  const [cert, key] = ['certFile', 'keyFile'].map((name) => partOf(tls, name) !== undefined);
  if (written === undefined || cert === key) return [];
  const [missing, given, what] = cert ? ['keyFile', 'certFile', 'key'] : ['certFile', 'keyFile', 'certificate'];
  const place = placeOf(written, ['edge', 'tls', given]);
  return [
    { place, path: `edge.tls.${missing}`, message: `missing; expected the ${what} of edge.tls.${given} beside it` },
  ];
}

function operatorMap(texts: readonly ConfigText[]): LocatedMap | undefined {
  try {
    return texts.map(locateTop).reduce<LocatedMap | undefined>((below, above) => {
      return below === undefined ? above : layMaps(below, above);
    }, undefined);
  } catch (error) {
    // No YAML: the service it is for has said so.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

const partOf = (at: Located | undefined, name: string): Located | undefined =>
  at?.kind === 'map' ? at.entries.get(name)?.value : undefined;

/** What is of another kind is refused by provisioning. */
const scalarOf = <T extends string | boolean>(at: Located | undefined, is: (value: unknown) => value is T) =>
  at?.kind === 'scalar' && is(at.value) ? at.value : undefined;
const isText = (value: unknown): value is string => typeof value === 'string';
const isSwitch = (value: unknown): value is boolean => typeof value === 'boolean';

function settingsOf(written: Located | undefined, isProxied: boolean): AgreedSettings {
  const names = partOf(partOf(written, 'tls'), 'certificates');
  return {
    role: scalarOf(partOf(written, 'role'), isText),
    certificates: names?.kind === 'list' ? names.items.map((item) => scalarOf(item, isText) ?? '') : [],
    requireTls: scalarOf(partOf(written, 'requireTls'), isSwitch),
    proxyProtocol: isProxied || scalarOf(partOf(written, 'proxyProtocol'), isSwitch) === true,
  };
}

function compare(edge: Edge, texts: readonly ConfigText[]): { problems: Problem[]; notes: Problem[] } {
  const operator = operatorMap(texts);
  if (operator === undefined) return { problems: [], notes: [] };
  const told = (path: FieldPath, message: string): Problem => ({
    place: placeOf(operator, path),
    path: pathText(path),
    message,
  });
  const choices = choosables(edge);
  const certificates = [...choices.keys()];
  const sections: [ListenerSection, Edge['listeners']][] = [
    ['edge.listeners', edge.listeners],
    ['edge.moreListeners', edge.moreListeners],
  ];
  const here = sections.flatMap(([section, listeners]) => listeners.map((one) => ({ ...one, section })));
  const written = partOf(operator, 'listeners');
  const problems = here.flatMap((listener) => {
    const own = partOf(written, listener.name);
    const settings = settingsOf(own, listener.proxyProtocol);
    const found = disagreements(listener, settings, certificates, listener.section);
    const known = settings.certificates.flatMap((name) => choices.get(name) ?? []);
    const usable = known.length > 0 ? known : [...choices.values()];
    const tls = partOf(own, 'tls');
    const [ciphers = '', maxVersion = ''] = ['ciphers', 'maxVersion'].map((name) =>
      scalarOf(partOf(tls, name), isText),
    );
    const unfit = cipherFault({ ciphers, maxVersion }, usable);
    if (unfit !== undefined) found.push({ field: ['tls', 'ciphers'], message: unfit });
    return found.map(({ field, message }) => told(['listeners', listener.name, ...field], message));
  });
  const noKeytab = edge.gssapi === undefined ? undefined : keytabFault(edge.gssapi.keytabFile);
  if (noKeytab !== undefined) problems.push(told(['edge', 'gssapi', 'keytabFile'], noKeytab));
  const names = here.map(({ name }) => name);
  const portless = written?.kind === 'map' ? [...written.entries.keys()].filter((name) => !names.includes(name)) : [];
  const notes = portless.map((name) =>
    told(
      ['listeners', name],
      `has no port here: edge.listeners and edge.moreListeners hold ${names.join(', ')}; it counts where a pod has it`,
    ),
  );
  if (edge.gssapi === undefined) notes.push(...kerberosNotes(written, told));
  const settings = partOf(operator, 'checks');
  const hurried = hurriedChecks(edge.policy.deadline, (check) => writtenCheck(partOf(settings, check)));
  notes.push(...hurried.map(({ check, message }) => told(['checks', check, 'timeout'], message)));
  for (const [index, { name, address }] of edge.moreListeners.entries())
    if (address.port === 0)
      notes.push(
        told(
          ['edge', 'moreListeners', index, 'address'],
          `port 0 of ${name}: the system chooses one at every start, which the log tells (edge.listener.opened); expected a number where clients shall find it`,
        ),
      );
  notes.push(...endingNotes(edge, systemClock.now()).map(({ path, message }) => told(path, message)));
  return { problems, notes };
}

type Tell = (path: FieldPath, message: string) => Problem;

/** Listeners that name a mechanism this pod has no key for. */
function kerberosNotes(listeners: Located | undefined, told: Tell): Problem[] {
  if (listeners?.kind !== 'map') return [];
  return [...listeners.entries].flatMap(([name, { value }]) =>
    ['authMechanismsTls', 'authMechanismsPlain'].flatMap((field) => {
      const named = partOf(value, field);
      const index = named?.kind === 'list' ? named.items.findIndex((item) => scalarOf(item, isText) === 'GSSAPI') : -1;
      const message = '"GSSAPI" is not offered here: edge.gssapi names no keytab';
      return index === -1 ? [] : [told(['listeners', name, field, index], message)];
    }),
  );
}

function writtenCheck(written: Located | undefined): WrittenCheck {
  const timeout = scalarOf(partOf(written, 'timeout'), isText);
  return {
    enabled: scalarOf(partOf(written, 'enabled'), isSwitch),
    timeoutMs: timeout === undefined ? undefined : parseDuration(timeout),
  };
}
