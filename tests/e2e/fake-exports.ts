import type { ExportApi, ExportSize } from '../../src/engine/protocol/export.ts';
import { type Form, type FormFacts, FORMS } from '../../src/export/forms.ts';

const GB = 1e9;
/** Of Qwen2.5-1.5B. */
const SIZES = { '': 3.09, bf16: 3.09, f16: 3.09, f32: 6.18, q8_0: 1.65, q4_k_m: 0.99 } as const;

/**
 * Exports that write nothing, in twenty steps `pace` milliseconds apart.
 *
 * @param holdLosses whether the first measurement of losses takes until it is canceled
 */
export function fakeExports(pace: number, holdLosses: boolean): ExportApi {
  let held = holdLosses;
  const work = async (
    onExport: Parameters<ExportApi['exportAdapterInto']>[3],
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    for (const phase of ['hashing', 'writing'] as const) {
      for (let step = 1; step <= 10; step++) {
        await new Promise((resolve) => setTimeout(resolve, pace));
        signal?.throwIfAborted();
        onExport(phase, 0.1 * step * 3 * GB, 3 * GB);
      }
    }
  };
  const exported = (form: Form) => ({
    files: FORMS[form].isFile ? 1 : 9,
    bytes: 3 * GB,
    notes: ['tokenizer.json: 3 tokens beyond the embedding\u2019s rows are left out.\u202e'],
    commands: form === 'ollama' ? ['ollama create v2 -f Modelfile', 'ollama run v2'] : [],
  });
  return {
    baseFolder: async () => ({ ok: true, value: undefined }),
    exportSizes: async (_, onto) => ({
      ok: true,
      value: (Object.keys(FORMS) as Form[]).flatMap((form): ExportSize[] => {
        const { types, type: standard }: FormFacts = FORMS[form];
        const all = standard === undefined ? [undefined, ...types] : types;
        return all.map((type) => {
          const problem =
            'tokenizer.json: the normalizer is none that llama.cpp has; choose the form merged.';
          const bytes = form === 'gguf-lora' ? 147e6 : SIZES[type ?? ''] * GB;
          return { form, type, size: onto === 'nf4' && type === 'f16' ? { problem } : { bytes } };
        });
      }),
    }),
    exportLosses: async (_, { type, onto }, { trained }, onEvent, signal) => {
      if (type === 'f32') {
        return { ok: false, sentence: 'GPU memory: 7000 MiB are needed, and the GPU has less to give.' };
      }
      const phases = [
        ['hashing', 3 * GB, 'bytes'],
        ['tokenizing', 5e5, 'bytes'],
        ['loading the base', 3 * GB, 'bytes'],
        ['evaluating', 60, 'rows'],
      ] as const;
      for (const [phase, total, unit] of phases) {
        for (const share of [0.2, 0.6, 1]) {
          onEvent({ type: 'phase', phase, done: share * total, total, unit });
          do {
            await new Promise((resolve) => setTimeout(resolve, pace));
            held &&= signal?.aborted !== true;
          } while (held);
          signal?.throwIfAborted();
        }
      }
      onEvent({ type: 'note', text: 'Line 7 was skipped: it has no answer.\u202e' });
      const at = (loss: number) => ({ loss, perplexity: Math.exp(loss), rows: 60 });
      const written = { base: 0.3502, nf4: 0.3441 }[onto];
      return { ok: true, value: { trained: trained ?? at(0.3442), written: at(written) } };
    },
    exportAdapterInto: async (_, { form }, __, onExport, signal) => {
      await work(onExport, signal);
      return { ok: true, value: exported(form) };
    },
    exportAdapterFile: async (_, { form }, __, onExport, signal) => {
      await work(onExport, signal);
      return { ok: true, value: { ...exported(form), content: new Blob(['GGUF']) } };
    },
  };
}
