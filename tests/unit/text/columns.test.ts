import { expect, test } from 'vitest';
import { guessColumns, parseColumns } from '../../../src/text/columns.ts';

test.each<[string[], object | undefined]>([
  [['id', 'Question', 'Answer'], { instruction: 'Question', output: 'Answer' }],
  [['prompt', 'response'], { instruction: 'prompt', output: 'response' }],
  [['input', 'output'], { instruction: 'input', output: 'output' }],
  [
    ['Instruction', 'Input', 'Output', 'System Prompt'],
    { instruction: 'Instruction', input: 'Input', output: 'Output', system: 'System Prompt' },
  ],
  [['question', 'context', 'answer'], { instruction: 'question', input: 'context', output: 'answer' }],
  [['PROMPT', 'Completion'], { prompt: 'PROMPT', completion: 'Completion' }],
  [['conversation', 'question', 'answer'], { messages: 'conversation' }],
  [['question', 'expected_answer', 'model_answer'], { instruction: 'question', output: 'expected_answer' }],
  [['id', 'content'], { text: 'content' }],
  [['question'], undefined],
  [['x', 'y'], undefined],
  [['', '__proto__', 'constructor'], undefined],
])('%j', (names, columns) => {
  expect(guessColumns(names)).toEqual(columns);
});

test('columns on the command line', () => {
  expect(parseColumns('instruction=Question, output="Answer, ""long""",system=S p')).toEqual({
    instruction: 'Question',
    output: 'Answer, "long"',
    system: 'S p',
  });
});

test.each([
  ['', 'columns for none, expected messages, '],
  ['prompt', '"prompt", expected keys and columns'],
  ['prompt=', '"prompt=", expected keys and columns'],
  ['prompt=a,prompt=b', '"prompt" twice, expected instruction, '],
  ['question=a', '"question" as a key, expected instruction, '],
  ['prompt=a', 'columns for prompt, expected messages, '],
  ['text=a,system=b', 'a column for system, which has no meaning beside text; '],
])('%j is refused', (text, problem) => {
  expect(parseColumns(text)).toContain(problem);
});
