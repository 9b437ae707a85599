import { afterEach, beforeEach, expect, it } from 'vitest';
import { retune } from '../support/cli.ts';
import { DATED_TEMPLATE } from '../support/dated-base.ts';
import { Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

it.each(['2026-02-30', '7.3.2026', '2026-03-07T10:00', '', '-1'])('refuses the date %o', async (date) => {
  const { code, stderr } = await retune(
    ['batch-test', '--base=a', '--model=none', '--questions=c', '--output=d'].concat(`--date=${date}`),
  );
  expect(code).toBe(2);
  expect(stderr).toBe(
    `retune: option '--date <date>' argument '${date}' is invalid. Expected a day as YYYY-MM-DD; see retune batch-test --help.\n`,
  );
});

it('says which date the rows’ template writes, where it writes one', async () => {
  const rows = ['rows', '--base', scene.path('base'), '--train-data', scene.path('train.jsonl'), '--n', '1'];
  expect((await retune(rows)).stdout).not.toContain('date');
  scene.write('base/chat_template.jinja', DATED_TEMPLATE);
  expect((await retune(rows)).stdout).toMatch(
    /Note: The chat template writes the current date: here [\d-]{10} [\d:]{8}\. A run keeps/,
  );
});

it('says when two batch tests were asked with different dates', async () => {
  const results = (date?: string) =>
    JSON.stringify({
      summary: { model_path: 'v', generation: { date } },
      results: [
        {
          question: 'q',
          model_answer: 'a',
          token_usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
        },
      ],
    });
  const compare = async (a?: string, b?: string) => {
    scene.write('a.json', results(a));
    scene.write('b.json', results(b));
    return (await retune(['compare', scene.path('a.json'), scene.path('b.json')])).stdout;
  };
  expect(await compare('2026-03-07T10:00:00', '2026-03-07T11:00:00')).not.toContain('Note');
  expect(await compare('2026-03-07T10:00:00')).toContain(
    "Note: the chat template wrote 2026-03-07 into V1's prompts and no date into V2's; batch-test --date gives both the same.",
  );
});
