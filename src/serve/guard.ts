import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connect, Plugin } from 'vite';
import { securityHeaders } from '../platform/security-headers.ts';

/** The names of this very machine: a page of a foreign name that was pointed here (DNS rebinding) asks under its own. */
const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;

/** What Vite has no type for, which would leave the browser to guess. */
const TYPES: Readonly<Record<string, string>> = {
  safetensors: 'application/octet-stream',
  jsonl: 'text/plain; charset=utf-8',
  jinja: 'text/plain; charset=utf-8',
};

/** Gives every response the security headers, and refuses requests that were not sent to this machine by its name. */
export function guard(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  for (const [name, value] of Object.entries(securityHeaders)) {
    response.setHeader(name, value);
  }
  if (!LOOPBACK.test(request.headers.host ?? '')) {
    response.writeHead(403, { 'Content-Type': 'text/plain; charset=utf-8' });
    response.end(
      'This server answers at localhost, 127.0.0.1 and [::1] only; open it at http://localhost.\n',
    );
    return;
  }
  const type = TYPES[/\.(\w+)(\?|$)/.exec(request.url ?? '')?.[1] ?? ''];
  if (type) {
    response.setHeader('Content-Type', type);
  }
  next();
}

/** `guard` before everything else that Vite's servers do: their own refusals carry the headers too. */
export function guarded(): Plugin {
  const first = ({ middlewares }: { middlewares: Connect.Server }) => {
    middlewares.stack.unshift({ route: '', handle: guard });
  };
  return { name: 'retune:guard', configureServer: first, configurePreviewServer: first };
}
