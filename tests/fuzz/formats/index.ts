import type { Format } from '../format.ts';
import { adapterConfig } from './adapter-config.ts';
import { eventFile } from './event-file.ts';
import { questions } from './questions.ts';
import { recipe } from './recipe.ts';
import { results } from './results.ts';
import { rows } from './rows.ts';
import { trainerState } from './trainer-state.ts';

/** Every format that is read from files of others, and the one that is written from them. */
export const FORMATS: readonly Format[] = [
  adapterConfig,
  recipe,
  rows,
  questions,
  results,
  trainerState,
  eventFile,
];
