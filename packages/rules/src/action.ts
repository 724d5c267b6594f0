/**
 * What a rule may do, parsed and safe to use: texts hold no line breaks, codes fit their kind, addresses have a domain.
 * An action is a wish; the service that asked decides how it is carried out and merges limits to the tighter one.
 */
export type Clientele = 'none' | 'authenticated' | 'all';
export type RouteTls = 'none' | 'opportunistic' | 'required' | 'verified' | 'implicit';
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** Where mail leaves and how. What is undefined stays as it was. */
export interface RouteAction {
  readonly kind: 'route';
  readonly next:
    | { readonly kind: 'unchanged' }
    /** A next hop of the configuration, its login included. */
    | { readonly kind: 'named'; readonly name: string }
    | {
        readonly kind: 'host';
        readonly host: string;
        readonly port: number;
        /** Name of the next hop whose sealed login is used; never the login itself. */
        readonly login: string | undefined;
      };
  readonly tls: RouteTls | undefined;
  /** Empty = those of the service. */
  readonly tlsVersions: readonly TlsVersion[];
  readonly sourceAddress: string | undefined;
  readonly helo: string | undefined;
  readonly egressPool: string | undefined;
}

export type Action =
  | { readonly kind: 'accept' }
  | { readonly kind: 'reject'; readonly code: number; readonly enhanced: string; readonly text: string }
  | { readonly kind: 'tempfail'; readonly code: number; readonly enhanced: string; readonly text: string }
  | { readonly kind: 'discard' }
  | { readonly kind: 'quarantine'; readonly reason: string }
  | { readonly kind: 'hold'; readonly reason: string }
  | { readonly kind: 'close'; readonly text: string }
  | { readonly kind: 'greeting'; readonly text: string }
  | {
      readonly kind: 'setLimit';
      readonly size: number | undefined;
      readonly recipients: number | undefined;
      readonly errors: number | undefined;
    }
  | {
      readonly kind: 'auth';
      /** undefined = as it was. */
      readonly plain: readonly string[] | undefined;
      readonly tls: readonly string[] | undefined;
    }
  | { readonly kind: 'requireTls'; readonly text: string }
  | { readonly kind: 'allowRelay'; readonly for: Clientele }
  | { readonly kind: 'allowLocal'; readonly for: Clientele }
  | { readonly kind: 'skip'; readonly check: string }
  | { readonly kind: 'run'; readonly check: string }
  | { readonly kind: 'addHeader'; readonly name: string; readonly value: string }
  | { readonly kind: 'addHeaderIfAbsent'; readonly name: string; readonly value: string }
  | {
      readonly kind: 'changeHeader';
      readonly name: string;
      /** '' = the old one stays, with words before and behind it. */
      readonly value: string;
      readonly prefix: string;
      readonly suffix: string;
    }
  | { readonly kind: 'removeHeader'; readonly name: string }
  | { readonly kind: 'addRecipient'; readonly address: string }
  | { readonly kind: 'dropRecipient' }
  | { readonly kind: 'redirect'; readonly address: string }
  | { readonly kind: 'changeSender'; readonly address: string }
  | { readonly kind: 'tag'; readonly name: string }
  | RouteAction
  | { readonly kind: 'ndrText'; readonly text: string }
  | { readonly kind: 'retrySchedule'; readonly delays: readonly number[]; readonly giveUpAfter: number | undefined };

export type ActionKind = Action['kind'];

/** What an operator may open to tenants: all of it concerns the tenant's own mail only. */
export const permittableActions: readonly ['accept', 'skip', 'route'] = ['accept', 'skip', 'route'];
