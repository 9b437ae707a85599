// A process that does nothing but hear signals through Interrupt, and tells about them.
import { createServer } from 'vite';

const server = await createServer({
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
const { Interrupt } = await server.ssrLoadModule('/src/cli/interrupt.ts');
const interrupt = new Interrupt(
  () => console.log('first'),
  () => console.log('second'),
);
interrupt.signal.addEventListener('abort', () => console.log(`aborted, ${interrupt.exitCode}`));
setInterval(() => undefined, 1000);
console.log(`ready, ${interrupt.exitCode}`);
