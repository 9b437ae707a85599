/** What Retune is and promises: README, page and `retune --help` say it in these words. */
export const WHAT = 'Continue the fine-tuning of a LoRA adapter on your own GPU.';
export const HOW = 'A base model, an adapter V1 and new rows go in; adapter V2 comes out.';
export const PROMISE =
  'Nothing is uploaded, V1 is never touched, an interrupted run resumes, and V2 loads in PEFT.';
