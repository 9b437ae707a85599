import { describe, expect, it } from 'vitest';
import { comparisonCsv } from '../../../src/comparison/csv.ts';
import { csvCell } from '../../../src/formats/csv-cell.ts';

describe('csvCell', () => {
  it.each([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['two\nlines', '"two\nlines"'],
    ['=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', '"\'\r=1"'],
    ['＝1', "'＝1"],
    ['1=1', '1=1'],
    ['', ''],
    [undefined, ''],
    [-0.5, '-0.5'],
  ])('of %j is %s', (value, expected) => {
    expect(csvCell(value)).toBe(expected);
  });
});

it('has a line for each question, and empty cells for what is not there', () => {
  const csv = comparisonCsv(
    [
      { question: 'Where, exactly?', answer: 'shelf 4', topic: 't', difficulty: 'easy' },
      { question: 'Why?', answer: '', topic: '', difficulty: '' },
    ],
    [
      {
        name: 'V1',
        answers: [{ text: 'shelf', inputTokens: 3, outputTokens: 2, stopped: 'length' }, undefined],
      },
      { name: '=V2', answers: [undefined, { text: 'so', inputTokens: 1, outputTokens: 1 }] },
    ],
    ['V1'],
  );
  const columns = (name: string) =>
    `${name}: answer,${name}: exact match,${name}: token F1,${name}: ROUGE-L,${name}: input tokens,${name}: output tokens,${name}: ended by`;
  const second = columns('=V2').replace('=V2: answer', "'=V2: answer").replaceAll(',=V2', ",'=V2");
  expect(csv).toBe(
    `\ufeffquestion_id,topic,difficulty,question,expected_answer,${columns('V1')},${second},vote\r\n` +
      `1,t,easy,"Where, exactly?",shelf 4,shelf,0,${2 / 3},${2 / 3},3,2,length,,,,,,,,V1\r\n` +
      `2,,,Why?,,,,,,,,,so,,,,1,1,,\r\n`,
  );
});
