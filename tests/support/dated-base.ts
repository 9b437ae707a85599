import type { Folder } from '../../src/formats/byte-source.ts';
import type { RunInputs } from '../../src/run/input/run-inputs.ts';
import { fixtureFiles, memoryFolder } from './memory-folder.ts';
import { caseInputs } from './run-case.ts';

/** Qwen's turns under a line with today's date, as Llama 3.2's template begins. */
export const DATED_TEMPLATE = `Today: {{ strftime_now('%d %b %Y') }}
{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

/** The base of a case of chats, whose template writes the date. */
export const datedBase = (): Folder =>
  memoryFolder('base', {
    ...fixtureFiles('cases/chat_messages/base'),
    'chat_template.jinja': DATED_TEMPLATE,
  });

/** Two steps over the rows of that case. */
export const datedInputs = async (): Promise<RunInputs> => ({
  ...(await caseInputs('chat_messages', (recipe) => ({
    ...recipe,
    training: { ...recipe.training, maxSteps: 2, accumulationSteps: 1, saveSteps: 1 },
  }))),
  validation: undefined,
  base: datedBase(),
});
