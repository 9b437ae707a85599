import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSkipModules } from '../../../src/formats/skip-modules.ts';

/** Modules, and those that should_convert_module of transformers keeps by each entry. */
const VERDICTS = JSON.parse(
  readFileSync(new URL('../../fixtures/formats/skip_modules.json', import.meta.url), 'utf8'),
) as { names: string[]; kept: Record<string, string[]> };

const skips = (list: unknown) =>
  readSkipModules({ quantization_config: { llm_int8_skip_modules: list } }, 'config.json')!;

describe('llm_int8_skip_modules', () => {
  it.each(Object.entries(VERDICTS.kept))('%s keeps the modules that transformers keeps', (entry, kept) => {
    const found = skips([entry]);
    expect(VERDICTS.names.filter((name) => found(name) !== undefined)).toEqual(kept);
  });

  it('says by which entry a module stays, and without a list that none does', () => {
    const name = 'model.layers.3.mlp.up_proj';
    expect(skips(['lm_head', 'layers.3.mlp.up_proj'])(name)).toBe('layers.3.mlp.up_proj');
    expect(skips(undefined)(name)).toBeUndefined();
    expect(skips(null)(name)).toBeUndefined();
    expect(readSkipModules({}, 'config.json')).toBeUndefined();
  });
});
