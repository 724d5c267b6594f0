/** What a connection asks of the listener it came to. */
import type { Socket } from 'node:net';
import type { Session, SessionServices } from '../session.js';
import type { EdgeConnection } from './connection.js';
import type { Opening } from './place.js';

export interface ConnectionContext {
  readonly services: SessionServices;
  readonly session: Session;
  canStartTls(): boolean;
  /** Calls `upgrade` when the context for this client is known; never where it goes away first. */
  chooseContext(socket: Socket, upgrade: () => void): void;
  /** A PROXY header came where none is taken. */
  onUnexpectedProxy(): void;
  open(session: Session): Promise<Opening>;
  onClosed(connection: EdgeConnection): void;
}
