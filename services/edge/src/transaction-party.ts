/** Who takes part in one transaction: the session it is of, what the session may ask, and what was said so far. Passed on as it is, never copied. */
import type { Session, SessionServices } from './session.js';
import type { Transaction } from './transaction.js';

export interface TransactionParty {
  readonly session: Session;
  readonly services: SessionServices;
  readonly transaction: Transaction;
}
