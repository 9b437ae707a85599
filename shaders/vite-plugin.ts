import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const SHADERS = dirname(fileURLToPath(import.meta.url));

/** `#include "folder/file.wgsl"` on a line of its own; the path is relative to shaders/. */
const INCLUDE = /^\s*#include "([^"]*)"\s*$/;

/** The name of a file as `#include` writes it, or for one outside of shaders/ with `..` at its beginning. */
const nameOf = (path: string): string => relative(SHADERS, path).replaceAll(sep, '/');

/**
 * A shader with the files it includes in place of the lines that name them, each file once; and the files read. Lines
 * `//# file:line` say where the line that follows them comes from: `src/gpu/shader-lines.ts` reads them. Throws on a
 * file that is missing, outside of shaders/ or includes itself, in one sentence with file and line.
 */
export function resolveIncludes(
  name: string,
  read: (name: string) => string,
): { code: string; files: readonly string[] } {
  const done = new Set<string>();
  const resolve = (file: string, text: string, open: readonly string[]): string => {
    done.add(file);
    const lines = [`//# ${file}:1`];
    text.split('\n').forEach((line, i) => {
      if (!line.includes('#include')) {
        return lines.push(line);
      }
      const here = `shaders/${file}:${i + 1}`;
      const path = INCLUDE.exec(line)?.[1];
      if (path === undefined) {
        throw new Error(`${here}: "${line.trim()}"; expected #include "folder/file.wgsl" and nothing else.`);
      }
      if (join('/', path).slice(1) !== path) {
        throw new Error(`${here}: #include "${path}"; expected a path inside shaders/, relative to it.`);
      }
      if (open.includes(path)) {
        throw new Error(`${here}: #include "${path}" closes a circle: ${[...open, path].join(' → ')}.`);
      }
      if (!done.has(path)) {
        let part: string;
        try {
          part = read(path);
        } catch (error) {
          throw new Error(`${here}: #include "${path}": there is no such file in shaders/.`, {
            cause: error,
          });
        }
        lines.push(resolve(path, part, [...open, path]));
      }
      return lines.push(`//# ${file}:${i + 2}`);
    });
    return lines.join('\n');
  };
  const code = resolve(name, read(name), [name]);
  return { code, files: [...done] };
}

/** Makes `import code from '….wgsl'` the shader's text, with its includes resolved, wherever Vite builds or serves. */
export function wgsl(): Plugin {
  return {
    name: 'retune-wgsl',
    enforce: 'pre',
    load: {
      filter: { id: /\.wgsl$/ },
      handler(id) {
        const { code, files } = resolveIncludes(nameOf(id), (name) =>
          readFileSync(join(SHADERS, name), 'utf8'),
        );
        // Imports, of which nothing is left in a build, tell the development server and Vitest what depends on a file.
        const imports = files.slice(1).map((file) => `import ${JSON.stringify(join(SHADERS, file))};\n`);
        return {
          code: `${imports.join('')}export default ${JSON.stringify(code)};`,
          map: null,
          moduleType: 'js',
        };
      },
    },
  };
}
