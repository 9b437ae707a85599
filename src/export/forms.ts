/** The types of weights, by the names that people use. */
export const TYPES = ['bf16', 'f16', 'f32', 'q8_0', 'q4_k_m'] as const;
export type WeightType = (typeof TYPES)[number];

export interface FormFacts {
  /** What it is, for a choice among them. */
  readonly label: string;
  readonly types: readonly WeightType[];
  /** The type that is taken if none is named; undefined: the base's own. */
  readonly type: WeightType | undefined;
  /** Whether it is one file, not a folder. */
  readonly isFile: boolean;
}

/** The forms that a result can be exported in. */
export const FORMS = {
  merged: {
    label: 'a folder of safetensors that transformers, vLLM and others load',
    types: ['bf16', 'f16', 'f32'],
    type: undefined,
    isFile: false,
  },
  gguf: {
    label: 'one file for llama.cpp, LM Studio, Jan and others',
    types: TYPES,
    type: 'q8_0',
    isFile: true,
  },
  'gguf-lora': {
    label: 'the adapter alone, for those who have the base as GGUF',
    types: ['bf16', 'f16', 'f32'],
    type: 'f32',
    isFile: true,
  },
  ollama: {
    label: 'a folder with the GGUF and a Modelfile for Ollama',
    types: TYPES,
    type: 'q8_0',
    isFile: false,
  },
} as const satisfies Record<string, FormFacts>;
export type Form = keyof typeof FORMS;
