import type { Form, WeightType } from '../../engine/protocol/export.ts';

/** What each form is called, and for whom it is. */
export const FORM_TEXTS: Readonly<Record<Form, { title: string; whom: string }>> = {
  merged: {
    title: 'Merged model (safetensors)',
    whom: 'For transformers, vLLM, SGLang and training on: a folder like the base’s, with the adapter in its weights.',
  },
  gguf: {
    title: 'GGUF',
    whom: 'For llama.cpp, LM Studio, Jan and KoboldCpp: one file with weights, tokenizer and chat template.',
  },
  'gguf-lora': {
    title: 'GGUF, adapter only',
    whom: 'For those who have the base as GGUF: a small file that llama.cpp loads beside it (--lora).',
  },
  ollama: {
    title: 'Ollama',
    whom: 'For Ollama: a folder with the GGUF and a Modelfile, which two commands turn into a model there.',
  },
};

/** What each type is; '' is the base's own. */
export const TYPE_TEXTS: Readonly<Record<WeightType | '', string>> = {
  '': 'as the base has them',
  bf16: 'bf16: 16 bits, what most bases are trained in',
  f16: 'f16: 16 bits, for programs without bf16',
  f32: 'f32: 32 bits, exact and largest',
  q8_0: 'q8_0: 8 bits, hardly any loss',
  q4_k_m: 'q4_k_m: 4 bits, smallest, with some loss',
};

/** What the adapter can be merged onto. */
export const ONTO_TEXTS = {
  base: 'the base’s own weights: what other programs load, at full precision',
  nf4: 'their NF4 values: what training saw, so that answers are those of the test here, without the precision that 4 bits lose',
} as const;

/** The same, short. */
export const ONTO_NAMES = { base: 'the base’s own weights', nf4: 'their NF4 values' } as const;

/** What to do with a file once it is there. */
export const AFTERWARDS: Readonly<Partial<Record<Form, string>>> = {
  gguf: 'LM Studio finds a model in ~/.lmstudio/models/<publisher>/<model>/, two folders of any name: put the file there.',
  'gguf-lora': 'Run it with: llama-cli -m base.gguf --lora and this file.',
  ollama: 'Two commands in that folder make it a model of Ollama; they are shown here once it is written.',
};
