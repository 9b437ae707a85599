import type { Format } from '../format.ts';
import { adapterConfig } from './adapter-config.ts';
import { adapterZip } from './adapter-zip.ts';
import { checkpoint } from './checkpoint.ts';
import { config } from './config.ts';
import { eventFile } from './event-file.ts';
import { indexJson } from './index-json.ts';
import { questions } from './questions.ts';
import { recipe } from './recipe.ts';
import { results } from './results.ts';
import { parquet, rowFiles } from './row-files.ts';
import { rows } from './rows.ts';
import { safetensors } from './safetensors.ts';
import { template } from './template.ts';
import { tokenizer } from './tokenizer.ts';
import { trainerState } from './trainer-state.ts';
import { zip } from './zip.ts';

/** Every untrusted format that is read, and the one that is written from them. */
export const FORMATS: readonly Format[] = [
  safetensors,
  config,
  indexJson,
  adapterConfig,
  recipe,
  tokenizer,
  template,
  rows,
  rowFiles,
  parquet,
  questions,
  results,
  trainerState,
  eventFile,
  checkpoint,
  zip,
  adapterZip,
];
