import { describe, expect, it } from 'vitest';
import { ollamaExport } from '../../../src/export/ollama.ts';
import { caseSource, contentOf } from '../../support/exported.ts';
import { fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';

const modelfileOf = async (source: Awaited<ReturnType<typeof caseSource>>, system?: string) => {
  const { files, notes, commands } = await ollamaExport(source, 'q8_0', 'v1-Q8_0.gguf', system);
  expect(files.map(({ path }) => path)).toEqual(['v1-Q8_0.gguf', 'Modelfile']);
  expect(commands).toEqual(['ollama create v1 -f Modelfile', 'ollama run v1']);
  return { text: new TextDecoder().decode(await contentOf(files[1]!)), notes };
};

describe('a Modelfile', () => {
  it('has the template of ChatML, and the system prompt that the chat template has by itself', async () => {
    const { text } = await modelfileOf(await caseSource('batch2'));
    expect(text).toBe(`FROM ./v1-Q8_0.gguf
TEMPLATE """{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}{{ range .Messages }}{{ if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ .Content }}<|im_end|>
{{ end }}{{ end }}<|im_start|>assistant
"""
SYSTEM """You are a helpful assistant."""
PARAMETER stop "<|im_end|>"
PARAMETER temperature 0.7
PARAMETER top_p 0.9
`);
    expect((await modelfileOf(await caseSource('batch2'), 'Be brief.')).text).toContain(
      'SYSTEM """Be brief."""',
    );
  });

  it('has the template of Llama 3', async () => {
    const { text } = await modelfileOf(await caseSource('llama_sharded'));
    expect(text).toContain(
      '{{ if eq .Role "user" }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ else',
    );
    expect(text).toContain('PARAMETER stop "<|eot_id|>"');
  });

  it('asks by the form of the rows where those were plain text', async () => {
    const source = await caseSource('batch2');
    const files = fixtureFiles('run');
    const state = new TextDecoder().decode(files['retune_state.json'] as Uint8Array);
    const adapterFolder = memoryFolder('v1', {
      ...files,
      'retune_state.json': state.replace(/"prompt": "\w+"/, '"prompt": "text"'),
    });
    const { text } = await modelfileOf({ ...source, adapterFolder });
    expect(text).toContain('TEMPLATE """### Instruction:\n{{ .Prompt }}\n\n### Response:\n"""');
    expect(text).not.toContain('SYSTEM');
  });

  it('has the system prompt that all rows of its run had, unless another is given', async () => {
    const source = await caseSource('batch2');
    const files = fixtureFiles('run');
    const state = JSON.parse(new TextDecoder().decode(files['retune_state.json'] as Uint8Array)) as object;
    const adapterFolder = memoryFolder('v1', {
      ...files,
      'retune_state.json': JSON.stringify({ ...state, prompt: 'chat', system: 'Answer as a "clerk"' }),
    });
    const withRows = { ...source, adapterFolder };
    // A quotation mark at the end would make four of the three that close it.
    expect((await modelfileOf(withRows)).text).toContain('SYSTEM """Answer as a "clerk"\n"""\n');
    expect((await modelfileOf(withRows, 'Be brief.')).text).toContain('SYSTEM """Be brief."""\n');
  });

  it('has no template, and says so, where the chat template is another', async () => {
    const source = await caseSource('batch2');
    const { templates } = source.tokenizer;
    const other = '{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}';
    (templates.byName as Map<string, unknown>).set('default', { text: other, file: 'x' });
    const { text, notes } = await modelfileOf(source);
    expect(text).not.toContain('TEMPLATE');
    expect(notes.at(-1)).toContain('The chat template is none of ChatML or Llama 3');
  });

  it('refuses a system prompt that it cannot hold', async () => {
    await expect(modelfileOf(await caseSource('batch2'), 'say """')).rejects.toThrow('no Modelfile can hold');
  });
});
