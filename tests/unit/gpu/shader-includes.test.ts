import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveIncludes } from '../../../shaders/vite-plugin.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { Kernel } from '../../../src/gpu/kernel.ts';
import { sourceLine } from '../../../src/gpu/shader-lines.ts';

/** The shader a.wgsl of these files. */
function resolved(files: Record<string, string>) {
  return resolveIncludes('a.wgsl', (name) => {
    const text = files[name];
    if (text === undefined) {
      throw new Error(`no ${name}`);
    }
    return text;
  });
}
/** Without the lines that say where others come from. */
const plain = (code: string) => code.replace(/^\/\/#.*\n/gm, '');

describe('#include', () => {
  it('is replaced by the file, also in a file that was included and in the midst of a function', () => {
    const { code, files } = resolved({
      'a.wgsl': 'fn a() {\n  #include "x/b.wgsl"\n}\n#include "x/c.wgsl"\n',
      'x/b.wgsl': 'b();\n#include "x/c.wgsl"',
      'x/c.wgsl': 'c();',
    });
    expect(plain(code)).toBe('fn a() {\nb();\nc();\n}\n');
    expect(files).toEqual(['a.wgsl', 'x/b.wgsl', 'x/c.wgsl']);
  });

  it('brings a file into a shader once', () => {
    const { code } = resolved({
      'a.wgsl': '#include "b.wgsl"\n#include "c.wgsl"\n#include "b.wgsl"\na',
      'b.wgsl': 'b',
      'c.wgsl': '#include "b.wgsl"\nc',
    });
    expect(plain(code)).toBe('b\nc\na');
  });

  it.each([
    [
      'the missing file',
      '\n#include "x/b.wgsl"',
      'a.wgsl:2: #include "x/b.wgsl": there is no such file in shaders/.',
    ],
    [
      'the circle',
      '#include "c.wgsl"',
      'c.wgsl:1: #include "a.wgsl" closes a circle: a.wgsl → c.wgsl → a.wgsl.',
    ],
    ['itself', '#include "a.wgsl"', 'a.wgsl:1: #include "a.wgsl" closes a circle: a.wgsl → a.wgsl.'],
    ...['../secret.wgsl', '/etc/hosts', 'x/../../secret.wgsl', './c.wgsl', 'x//c.wgsl'].map((path) => [
      path,
      `#include "${path}"`,
      `a.wgsl:1: #include "${path}"; expected a path inside shaders/, relative to it.`,
    ]),
    ...['#include <c.wgsl>', '#include "c.wgsl" // why', 'f(); #include "c.wgsl"'].map((line) => [
      line,
      `\n\n${line}`,
      `a.wgsl:3: "${line}"; expected #include "folder/file.wgsl" and nothing else.`,
    ]),
  ])('refuses %s in one sentence with file and line', (_, text, sentence) => {
    expect(() => resolved({ 'a.wgsl': text!, 'c.wgsl': '#include "a.wgsl"' })).toThrow(
      new Error(`shaders/${sentence}`),
    );
  });

  it('leaves a way back from every line of the text to its file', () => {
    const { code } = resolved({ 'a.wgsl': 'a1\n#include "x/b.wgsl"\na3\na4', 'x/b.wgsl': 'b1\nb2\nb3' });
    const text = `chosen at run time\n${code}`;
    const from = (line: string) => sourceLine(text, text.split('\n').indexOf(line) + 1);
    expect(['a1', 'a3', 'a4', 'b1', 'b3'].map(from)).toEqual([
      'a.wgsl:1',
      'a.wgsl:3',
      'a.wgsl:4',
      'x/b.wgsl:1',
      'x/b.wgsl:3',
    ]);
    expect(from('chosen at run time')).toBeUndefined();
  });
});

describe('a kernel whose shader the compiler refuses', () => {
  beforeEach(() => vi.stubGlobal('GPUShaderStage', { COMPUTE: 4 }));
  afterEach(() => vi.unstubAllGlobals());

  const code = resolved({ 'a.wgsl': '#include "x/b.wgsl"\na', 'x/b.wgsl': 'b1\nb2' }).code;
  /** A device whose compiler reports these of every shader. */
  const gpuThat = (messages: object[], reason: string) =>
    ({
      name: 'the GPU',
      device: {
        createBindGroupLayout: () => ({}),
        createPipelineLayout: () => ({}),
        createShaderModule: () => ({ getCompilationInfo: () => Promise.resolve({ messages }) }),
        createComputePipelineAsync: () => Promise.reject(Object.assign(new Error('it failed.'), { reason })),
      },
    }) as unknown as Gpu;
  const refusal = (gpu: Gpu) =>
    new Kernel({ name: 'k', code, buffers: [], params: {} }).compile(gpu).catch((e: Error) => e.message);

  it('is named with file, line and reason', async () => {
    const line = code.split('\n').indexOf('b2') + 1;
    const messages = [
      { type: 'warning', lineNum: 1, message: 'old' },
      { type: 'error', lineNum: line, message: 'unresolved value b2' },
    ];
    expect(await refusal(gpuThat(messages, 'validation'))).toContain('(x/b.wgsl:2: unresolved value b2)');
  });

  it('is named with what else went wrong', async () => {
    expect(await refusal(gpuThat([], 'validation'))).toContain(
      'the kernel k could not be compiled (it failed);',
    );
    expect(await refusal(gpuThat([], 'internal'))).toContain(
      'the kernel k could not be compiled (it failed);',
    );
  });
});
