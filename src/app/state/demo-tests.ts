import type { ChosenFolder } from '../../worker/protocol.ts';
import { demoFiles } from './demo.ts';

export const demoBase = async (): Promise<ChosenFolder> => (await demoFiles()).base;

export const demoAdapter = async (): Promise<ChosenFolder> => (await demoFiles()).source;

export const demoValidation = async (): Promise<File> => (await demoFiles()).validation.file;

/** The demo's answers are short, and its base takes 512 tokens at most, prompt and answer together. */
export const DEMO_ANSWER_TOKENS = '32';

/** The bundled demo's questions. */
export async function demoQuestions(): Promise<File> {
  const answer = await fetch(new URL('demo/questions.json', document.baseURI));
  if (!answer.ok) throw new Error(`demo/questions.json: the server answers ${answer.status}`);
  return new File([await answer.blob()], 'questions.json', { type: 'application/json' });
}
