import { EARLIER_PORT, PORT } from '../../platform/ports.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Where runs may be that do not show here: a browser keeps them by the address that they were started at. */
export function runsElsewhere({ hostname, port }: Pick<Location, 'hostname' | 'port'>): string[] {
  if (!LOOPBACK.includes(hostname)) {
    return [];
  }
  const at = (other: number) => hostname === 'localhost' && Number(port) === other;
  const texts: string[] = [];
  if (!at(PORT)) {
    texts.push(`Runs that were started at http://localhost:${PORT}/ show there only (npm start).`);
  }
  if (!at(EARLIER_PORT)) {
    texts.push(
      `Runs of earlier versions of Retune are at http://localhost:${EARLIER_PORT}/: open it with “npm start -- --port ${EARLIER_PORT}”, export them there and import them here.`,
    );
  }
  return texts;
}
