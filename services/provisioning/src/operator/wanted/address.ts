/** An address of the operator file as the database spells it. */
import { canonical } from '../../addresses.js';

export const addressOf = (text: string): string => canonical(text) ?? text.toLowerCase();
