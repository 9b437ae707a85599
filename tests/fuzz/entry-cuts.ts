import type { Files } from './format.ts';
import { openInputs } from './inputs.ts';
import { judge } from './judge.ts';

/** A cut input and the verdict of the format's own fuzzer. */
export interface EntryCut {
  readonly format: string;
  readonly files: Files;
  /** The refusal; undefined if the input is accepted. */
  readonly refusal: string | undefined;
}

/** This many cuts of each format, spread over all of them. */
export async function spreadCuts(formats: readonly string[], each: number): Promise<EntryCut[]> {
  const cuts: EntryCut[] = [];
  for (const name of formats) {
    const inputs = await openInputs(`${name}/cuts`);
    for (let i = 0; i < each; i++) {
      const files = inputs.at(Math.floor(((i + 0.5) / each) * inputs.length));
      const { outcome, detail } = await judge(inputs.format, files);
      if (outcome === 'failed') {
        throw new Error(`${name}: ${detail}`);
      }
      cuts.push({ format: name, files, refusal: outcome === 'refused' ? detail : undefined });
    }
  }
  return cuts;
}
