import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Listener {
  tcp: Server;
  udp: Socket;
  arrived: boolean;
}

/**
 * Ports of this machine, one per name, that notice anything that reaches them: a request, a connection without one,
 * a packet. They answer like a foreign server that wants to be read.
 */
export class Listeners {
  readonly #all = new Map<string, Listener>();

  /** Listens under a name; the port's address. */
  async open(name: string): Promise<string> {
    const tcp = createServer((_, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      response.end('here');
    });
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
    const listener = { tcp, udp, arrived: false };
    const arrive = () => (listener.arrived = true);
    tcp.on('connection', arrive);
    udp.on('message', arrive);
    this.#all.set(name, listener);
    return `http://127.0.0.1:${port}/`;
  }

  /** The names that were reached. */
  get reached(): string[] {
    return [...this.#all].filter(([, { arrived }]) => arrived).map(([name]) => name);
  }

  close(): void {
    for (const { tcp, udp } of this.#all.values()) {
      tcp.closeAllConnections();
      tcp.close();
      udp.close();
    }
    this.#all.clear();
  }
}
