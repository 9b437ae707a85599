import { START } from '../cli/package-root.ts';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { EARLIER_PORT, PORT } from '../platform/ports.ts';

/** The port that the arguments name. Throws UserError. */
export function readPort(args: readonly string[]): number {
  const line = args.join(' ');
  if (line === '') {
    return PORT;
  }
  const port = /^--port[ =](.*)$/s.exec(line)?.[1];
  if (port === undefined) {
    throw new UserError(
      `${START.command}: ${quote(line)} is not an option, expected nothing or ${START.port}.`,
    );
  }
  const number = Number(port);
  if (/^\d{4,5}$/.test(port) && number >= 1024 && number <= 65535) {
    return number;
  }
  throw new UserError(
    `${START.command}: --port is ${quote(port)}, expected a whole number from 1024 to 65535; change it, or leave it out for ${PORT}.`,
  );
}

/** What is to be known of another port than the usual. */
export function aboutPort(port: number): string[] {
  if (port === PORT) {
    return [];
  }
  if (port === EARLIER_PORT) {
    return [
      `Runs of earlier versions are here: export them under Runs, and import them at http://localhost:${PORT}/ (${START.command}).`,
    ];
  }
  return [
    `Runs that were started at http://localhost:${PORT}/ do not show here: a browser keeps them by address.`,
  ];
}
