import type { ChosenFile, ChosenFolder } from '../../engine/protocol/protocol.ts';

const BASE = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
];
const ADAPTER = ['adapter_config.json', 'adapter_model.safetensors'];

/** Two of the demo's questions: what only its new rows teach, and what V1 knew already. */
export const DEMO_QUESTIONS = ['How much water does the Fenra hold?', 'How much water does the Telva hold?'];

/** Whether a base is the bundled demo's, by what it is called. */
export const isDemoBase = (name: string): boolean => name === 'demo/base';

const taken = new WeakSet<object>();

/** Whether something chosen is the bundled demo's. */
export const isFromDemo = (chosen: ChosenFolder | ChosenFile): boolean =>
  taken.has(chosen) || ('name' in chosen && isDemoBase(chosen.name));

interface DemoFiles {
  base: ChosenFolder;
  source: ChosenFolder;
  train: ChosenFile;
  validation: ChosenFile;
  recipe: File;
}

/** The bundled demo, as if it had been chosen from disk. */
export async function demoFiles(): Promise<DemoFiles> {
  const folder = async (name: string, files: readonly string[]): Promise<ChosenFolder> => ({
    name: `demo/${name}`,
    files: await Promise.all(files.map((file) => demoFile(`${name}/${file}`))),
  });
  const chosen = {
    base: await folder('base', BASE),
    source: await folder('v1', ADAPTER),
    train: { file: await demoFile('train.jsonl') },
    validation: { file: await demoFile('val.jsonl') },
  };
  for (const one of Object.values(chosen)) {
    taken.add(one);
  }
  return { ...chosen, recipe: await demoFile('training_config.yaml') };
}

async function demoFile(path: string): Promise<File> {
  const answer = await fetch(new URL(`demo/${path}`, document.baseURI));
  if (!answer.ok) {
    throw new Error(`demo/${path}: the server answers ${answer.status}`);
  }
  return new File([await answer.blob()], path.split('/').at(-1)!);
}
