/**
 * Settings of checks in force: the operator's, and those of tenants and domains laid over them. A check nobody configured is off; recipients
 * is never off. Compiled once per snapshot; a scope that sets nothing differently shares the operator's object.
 */
import {
  type CheckPatch,
  type CheckSettings,
  defaultSettings,
  readSettings,
  settingsOf,
  usablePatch,
} from '@postern/check-settings';
import { PosternError } from '@postern/errors';
import type { Checks, CheckSettings as FirstSettings, Snapshot } from '@postern/proto/config/v1/snapshot';

interface Always {
  readonly enabled: true;
  readonly onFail: 'reject';
  /** 0 = the check's own. */
  readonly timeout: 0;
  readonly tenantsMay: 'nothing';
}

export type CheckPolicies = Readonly<CheckSettings & { recipients: Always }>;

export interface ScopedPolicies {
  readonly server: CheckPolicies;
  /** Some tenant or domain sets something differently. */
  readonly differ: boolean;
  /** In force for mail to a hosted domain; the server's for others. */
  ofDomain(name: string): CheckPolicies;
  /** In force for what a tenant submits. */
  ofTenant(name: string): CheckPolicies;
}

export type OnRefusedSettings = (scope: string, reason: string) => void;

const recipients: Always = { enabled: true, onFail: 'reject', timeout: 0, tenantsMay: 'nothing' };

/** Written by the first release: SPF, DKIM, DMARC and blocklists, everything else off. */
function firstRelease(checks: Checks | undefined): CheckSettings {
  const settings = defaultSettings();
  const of = (first: FirstSettings | undefined) => ({
    enabled: first?.enabled ?? false,
    onFail: first?.onFail === 'reject' ? ('reject' as const) : ('mark' as const),
    timeout: first?.timeoutMs ?? 0,
  });
  return {
    ...settings,
    spf: { ...settings.spf, ...of(checks?.spf) },
    dkim: { ...settings.dkim, ...of(checks?.dkim) },
    dmarc: { ...settings.dmarc, ...of(checks?.dmarc) },
    dnsbl: { ...settings.dnsbl, ...of(checks?.dnsbl), zones: [...(checks?.dnsblZones ?? [])], selfTest: false },
  };
}

function serverSettings(checks: Checks | undefined): CheckSettings {
  const document = checks?.document ?? '';
  if (document === '') return firstRelease(checks);
  const settings = readSettings(document);
  if (settings === undefined) throw new PosternError('config-invalid', 'checks: written for another release');
  return settings;
}

export function scopedPolicies(
  { checks, tenants, domains }: Pick<Snapshot, 'checks' | 'tenants' | 'domains'>,
  onRefused: OnRefusedSettings,
): ScopedPolicies {
  const settings = serverSettings(checks);
  const server: CheckPolicies = { ...settings, recipients };
  const patchOf = (scope: string, text: string): CheckPatch[] => {
    if (text === '') return [];
    try {
      const { patch, leftOut } = usablePatch(JSON.parse(text), settings);
      for (const { problems } of leftOut) onRefused(scope, problems.join('; '));
      return [patch];
    } catch (error) {
      onRefused(scope, error instanceof Error ? error.message : 'unreadable');
    }
    return [];
  };
  const compiled = new Map<string, CheckPolicies>();
  const laidOver = (patches: readonly CheckPatch[]): CheckPolicies => {
    if (patches.length === 0) return server;
    const key = JSON.stringify(patches);
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const own = settingsOf(settings, patches);
    const made: CheckPolicies = own === undefined ? server : { ...own, recipients };
    compiled.set(key, made);
    return made;
  };
  const patchesOfTenants = new Map(tenants.map(({ name, checks: text }) => [name, patchOf(name, text)]));
  const ofTenants = new Map([...patchesOfTenants].map(([name, patches]) => [name, laidOver(patches)]));
  const ofDomains = new Map<string, CheckPolicies>();
  for (const { name, tenant, checks: text } of domains) {
    const own = laidOver([...(patchesOfTenants.get(tenant) ?? []), ...patchOf(name, text)]);
    if (own !== server) ofDomains.set(name.toLowerCase(), own);
  }
  return {
    server,
    differ: compiled.size > 0,
    ofDomain: (name) => ofDomains.get(name) ?? server,
    ofTenant: (name) => ofTenants.get(name) ?? server,
  };
}
