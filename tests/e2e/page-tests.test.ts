import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibleInBothSchemes, fits, focusOn, shownInForcedColors } from '../support/page-checks.ts';
import { CASE, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-tests');
});
afterAll(() => server?.close());

const open = async (search: string) => {
  const page = await server.open(search, { colorScheme: 'light', reducedMotion: 'reduce' });
  // The built page has the demo beside it; this one is two folders deeper.
  await page.route('**/demo/questions.json', (route) =>
    route.fulfill({ path: 'public/demo/questions.json' }),
  );
  return page;
};
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const stage = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name }).waitFor();
const openTest = async (page: Page) => {
  await stage(page, 'Test');
  await button(page, 'Open questions.json: V1, V2').click();
  await heading(page, 'V2 is better than V1');
};
const rows = (page: Page) => page.locator('compare-table-view tbody tr');
const saved = async (page: Page, name: string | RegExp) => {
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, name).click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
};
const questions = (entries: unknown) => ({
  name: 'own.json',
  mimeType: 'application/json',
  buffer: Buffer.from(JSON.stringify(entries)),
});

describe.concurrent('a test', () => {
  it("asks two versions the demo's questions, stops, and resumes", async () => {
    const page = await open('family&holdAnswer=150&pace=0');
    await stage(page, 'Test');
    await page.getByText('Still to choose: questions.').waitFor();
    await button(page, 'Use the demo’s questions').click();
    await page.getByText('2 versions, 128 questions each.').waitFor();
    await page.getByText('Order: V2, V3').waitFor();
    expect(await page.getByLabel('Maximum answer length, in tokens').inputValue()).toBe('32');
    await button(page, 'Start the test').click();
    await page.getByText('V3 is answering: 150 of 256 answers').waitFor();
    expect(await page.title()).toBe('58% tested · Retune');
    await page.getByText('58% · 143 tokens/s · 35 s left').waitFor();
    // Answers can be read as soon as they arrive.
    expect(await rows(page).first().getByText('no answer yet').count()).toBe(0);
    await page.getByText('(so far)').waitFor();
    await stage(page, 'Choose');
    await page.getByText(/is running: 58% of its answers are done/).waitFor();
    await button(page, 'Show the test').click();
    await button(page, 'Stop the test').click();
    await page.getByText('150 of 256 answers are saved.').waitFor();
    await page.context().close();
  });

  it('survives a reload, asks for the files that the browser keeps no way to, and ends', async () => {
    const page = await open('family&holdAnswer=3&pace=0');
    await stage(page, 'Test');
    const entries = [1, 2, 3].map((i) => ({ question: `${i}?`, answer: `The answer to that is ${i}.` }));
    await page.locator('[data-slot=questions]').setInputFiles(questions(entries));
    await page.getByText('2 versions, 3 questions each.').waitFor();
    await button(page, 'Start the test').click();
    await page.getByText(/3 of 6 answers/).waitFor();
    await page.reload();
    await heading(page, 'Unfinished test');
    await page.getByText('3 of 6 answers are saved.').waitFor();
    const resume = button(page, 'Continue the test');
    expect(await resume.getAttribute('aria-disabled')).toBe('true');
    await page.locator('[data-slot=again-base]').setInputFiles(`${CASE}/base`);
    await page.locator('[data-slot=again-validation]').setInputFiles(`${CASE}/train.jsonl`);
    await resume.click();
    await heading(page, 'Side by side');
    expect(await rows(page).count()).toBe(3);
    await page.context().close();
  });

  it('takes base, checkpoints and an adapter folder, each under its own name', async () => {
    const page = await open('family');
    await stage(page, 'Test');
    await page.locator('[data-slot=test-folder]').setInputFiles(`${CASE}/base`);
    await page
      .getByText('base: adapter_config.json is missing, expected the folder of a PEFT LoRA adapter')
      .waitFor();
    await page.locator('[data-slot=test-folder]').setInputFiles(`${CASE}/v1`);
    await page.getByLabel('Base without any adapter').check();
    const cut = page.getByRole('group', { name: 'half of the prices' });
    await cut.getByLabel('V2 step 40 checkpoint').check();
    const whole = page.getByRole('group', { name: 'v1 + train.jsonl' });
    await whole.getByLabel('V2 step 40 checkpoint').check();
    const names = 'Base, V2, V2 step 40 (v1 + train.jsonl), V2 step 40 (half of the prices), V3, v1';
    await page.getByText(`Order: ${names}`).waitFor();
    await page.getByLabel('Maximum answer length, in tokens').fill('0');
    await page.locator('[data-slot=questions]').setInputFiles(questions([{ question: 'a?' }]));
    await page.locator('#why').getByText('found "0", expected a whole number of at least 1').waitFor();
    await page.context().close();
  });

  it('says what is wrong with questions, and with a version whose files are gone, and continues', async () => {
    const page = await open('family&gone=V2&pace=0');
    await stage(page, 'Test');
    const file = page.locator('[data-slot=questions]');
    await file.setInputFiles(questions([]));
    await page.getByText('own.json: there are no questions in it').waitFor();
    await file.setInputFiles(questions([{ question: 'a?' }, { q: 'b?' }]));
    await page.getByText(/own\.json, entry 2 .*question is missing/).waitFor();
    await page.getByText('Fix first: the questions file.').waitFor();
    await file.setInputFiles(questions([{ question: 'a?', answer: 'It is the letter a.' }]));
    await button(page, 'Start the test').click();
    await page.getByText('V2 could not be tested: V2: it is not where it was').waitFor();
    await heading(page, 'Side by side');
    await page.getByText('It is the letter a.').first().waitFor();
    await page.context().close();
  });
});

describe.concurrent('side by side', () => {
  it('says whether V2 improved, in words and figures, and where it did not', async () => {
    const page = await open('family&tested=128');
    await openTest(page);
    await page.getByText('Of 128 questions with an expected answer, V1 gives exactly that answer').waitFor();
    await page
      .getByRole('img', { name: /Difference \+35\.2 points, 95% interval from \+2\d\.\d to \+4/ })
      .waitFor();
    await page.getByText('V2 is better on 47 questions and worse on 2 questions.').waitFor();
    const summary = page.getByRole('row', {
      name: /^V2 75\.8% \(97\) 0\.983 0\.984 17\.0 2 of 128 1\.4000 4\.06$/,
    });
    await summary.waitFor();
    await page.getByRole('row', { name: /^prices 42 38\.1% 76\.2% \+38\.1$/ }).waitFor();
    await page.context().close();
  });

  it('marks differences word by word and shows answers as text, with what hides in them', async () => {
    const page = await open('family&tested=40');
    await openTest(page);
    const answer = page
      .getByRole('row', { name: /Where can fuse 3 be found/ })
      .locator('td')
      .first();
    expect(await answer.locator('.text').textContent()).toContain(
      `<img src=x onerror="document.title='owned'">`,
    );
    expect(await answer.locator('del .hidden-character').textContent()).toBe('U+202E');
    expect(await answer.locator('ins').textContent()).toBe('[missing: be]');
    expect(await page.title()).toMatch(/ · Retune$/);
    await page.getByLabel('Marked').selectOption('Between versions');
    expect(await answer.locator('ins, del').count()).toBe(0);
    await page.context().close();
  });

  it('shows the thoughts before an answer apart, and does not score them', async () => {
    const page = await open('family&tested=30');
    await openTest(page);
    const row = rows(page).filter({ has: page.locator('details.thoughts') });
    expect(await row.count()).toBe(1);
    const answer = row.locator('td').filter({ has: page.locator('details.thoughts') });
    const thoughts = answer.locator('details.thoughts');
    expect(await thoughts.locator('p').isVisible()).toBe(false);
    await thoughts.getByText('Thoughts, not scored').click();
    expect(await thoughts.locator('p').innerText()).toBe('Not there.');
    const text = answer.locator('p.text').last();
    // It is the expected answer word for word, with nothing marked as too much or missing.
    expect(await text.textContent()).toMatch(/^[A-Z].*\.$/);
    expect(await text.textContent()).not.toContain('think');
    expect(await answer.locator('ins, del').count()).toBe(0);
    expect(await answer.textContent()).toContain('exact');
    await page.context().close();
  });

  it('sorts, filters, searches and keeps hundreds of rows in pages', async () => {
    const page = await open('family&tested=400');
    await openTest(page);
    expect(await rows(page).count()).toBe(25);
    await page.getByText('400 questions, page 1 of 16').waitFor();
    await button(page, 'Next').click();
    await page.getByRole('rowheader', { name: /^26/ }).waitFor();
    await button(page, 'Show where V2 got worse').click();
    await page.getByText('10 of 400 questions', { exact: true }).waitFor();
    for (const row of await rows(page).all()) {
      expect(await row.textContent()).toContain('↓ got worse');
    }
    await page.getByLabel('Show', { exact: true }).selectOption('All questions');
    await page.getByLabel('Topic', { exact: true }).selectOption('prices');
    await page.getByLabel('Difficulty', { exact: true }).selectOption('held-out wording');
    await page.getByText('66 of 400 questions, page 1 of 3', { exact: true }).waitFor();
    await page.getByLabel('Search').fill('FUSE 390 ');
    await page.getByText('1 of 400 questions', { exact: true }).waitFor();
    await page.getByLabel('Search').fill('no such thing');
    await page.getByText('No questions match.').waitFor();
    await page.context().close();
  });

  it('keeps votes over a reload and counts them', async () => {
    const page = await open('family&tested=30');
    await openTest(page);
    await button(page, 'Best of question 1: V2').first().click();
    await button(page, 'Best of question 2: V1').first().click();
    await button(page, 'Equally good in question 3').first().click();
    await page.getByText('Your votes: V2 1, V1 1, equally good 1.').waitFor();
    await page.reload();
    await page.getByText('Your votes: V2 1, V1 1, equally good 1.').waitFor();
    const mine = button(page, '✓ Best of question 1: V2').first();
    expect(await mine.getAttribute('aria-pressed')).toBe('true');
    await mine.click();
    await page.getByText('Your votes: V2 0, V1 1').waitFor();
    await page.getByLabel('Show', { exact: true }).selectOption('Not voted on yet');
    await page.getByText('28 of 30 questions').waitFor();
    await page.context().close();
  });

  it('lets vote blind, one question at a time, and counts with an interval', async () => {
    const page = await open('family&tested=30');
    await openTest(page);
    const blind = page.locator('compare-blind-view');
    await blind.getByRole('button', { name: 'Vote blind' }).click();
    let better = 0;
    for (let i = 0; i < 4; i++) {
      expect(await blind.locator('h4').allTextContents()).toEqual(['A', 'B']);
      await blind.getByRole('button', { name: 'A is better' }).click();
      const [a, b] = (await blind.locator('h4').allTextContents()) as [string, string];
      const own = a === 'A: V2 ✓ your vote';
      expect([a, b]).toEqual(own ? [a, 'B: V1'] : ['A: V1 ✓ your vote', 'B: V2']);
      better += Number(own);
      await blind.getByRole('button', { name: 'Next question' }).click();
    }
    const result = blind.getByText(new RegExp(`^V2 won ${better} of 4 votes against V1: .*95% interval`));
    await result.waitFor();
    await accessibleInBothSchemes(page, 'blind vote');
    await blind.getByRole('button', { name: 'Stop voting' }).click();
    await page.getByText(`Your votes: V2 ${better}, V1 ${4 - better}, equally good 0.`).waitFor();
    await page.context().close();
  });

  it('is downloaded as result files and CSV, and printed whole', async () => {
    const page = await open('family&tested=60');
    await openTest(page);
    const results = await saved(page, 'Results of V1 (.json)');
    expect(results.name).toBe('batch_test_V1.json');
    expect((JSON.parse(results.text) as { results: unknown[] }).results.length).toBe(60);
    const csv = await saved(page, 'All side by side (.csv)');
    expect(csv.name).toBe('comparison_questions.json_V1_V2.csv');
    expect(csv.text.trim().split('\r\n').length).toBe(61);
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    await page.emulateMedia({ media: 'print' });
    expect(await rows(page).count()).toBe(60);
    expect(await button(page, 'Print').isVisible()).toBe(false);
    expect(await page.getByRole('navigation', { name: 'Stages' }).isVisible()).toBe(false);
    expect(await page.getByText('V2 is better than V1').isVisible()).toBe(true);
    await page.context().close();
  });
});

describe.concurrent('runs and storage', () => {
  it('draws the family from its hashes and opens, names, annotates and deletes a run', async () => {
    const page = await open('family&tested=30');
    await stage(page, 'Runs');
    const tree = page.locator('family-tree');
    expect((await tree.locator('.badge').allTextContents()).join(' ')).toBe('Base V1 V2 V3 V2');
    await tree.getByRole('button', { name: /V3 with the prices/ }).click();
    await page.getByLabel('Name').fill('the third');
    await page.getByLabel('Note').fill('with lower rate');
    await page.getByLabel('Name').focus();
    await tree.getByRole('button', { name: /the third/ }).waitFor();
    await heading(page, 'the third');
    await page.getByText('Recipe', { exact: true }).last().click();
    await page.getByText('num_train_epochs').waitFor();
    await tree.getByRole('button', { name: /v1 \+ train/ }).click();
    await heading(page, 'v1 + train.jsonl');
    await tree.getByRole('button', { name: /the third/ }).click();
    await page.waitForFunction(() => document.title);
    expect(await page.getByLabel('Note').inputValue()).toBe('with lower rate');
    const detail = page.locator('runs-detail-view');
    await detail.getByRole('button', { name: 'Delete the third' }).click();
    await page
      .getByText(
        'Delete this run for good, with its 2 checkpoints, result, and conversations? It frees 567 MiB.',
      )
      .waitFor();
    await page.keyboard.press('Escape');
    await detail.getByRole('button', { name: 'Delete the third' }).click();
    await page.keyboard.press('Enter');
    await tree.getByRole('button', { name: /the third/ }).waitFor({ state: 'detached' });
    await focusOn(page, 'Runs');
    await page.locator('live-status').getByText('the third is deleted.').waitFor();
    await page.context().close();
  });

  it('goes out and comes in as a zip, and on to the next version', async () => {
    const page = await open('family');
    await stage(page, 'Runs');
    await page
      .locator('family-tree')
      .getByRole('button', { name: /v1 \+ train/ })
      .click();
    const zip = await saved(page, 'Export (.zip)');
    expect(zip.name).toBe('v1_train.jsonl.zip');
    await page.getByText('Hand over to a cluster').click();
    const cluster = await saved(page, 'Start from V1 (.zip)');
    expect(cluster.name).toBe('v1_train.jsonl-handover.zip');
    const file = { name: zip.name, mimeType: 'application/zip', buffer: Buffer.from(zip.text) };
    await page.locator('[data-slot=import]').setInputFiles(file);
    await page.getByText('a run from elsewhere was added to your runs.').waitFor();
    await page
      .locator('family-tree')
      .getByRole('button', { name: /v1 \+ train/ })
      .click();
    await button(page, 'Continue from this').click();
    await heading(page, 'Choose three things');
    const source = page.getByRole('region', { name: 'Adapter V2' });
    await source.getByText('v1 + train.jsonl').waitFor();
    await source.getByText('r 32, alpha 64').waitFor();
    await page.context().close();
  });

  it('lays the losses of several runs over each other', async () => {
    const page = await open('family');
    await stage(page, 'Runs');
    const plots = page.getByRole('group', { name: 'Runs in the plot (at most 6)' });
    await plots.getByLabel('v1 + train.jsonl').check();
    const plot = page.getByRole('img', {
      name: /^Training loss by step\..*V3 with the prices: from .*; v1 \+ train/,
    });
    await plot.waitFor();
    await page.getByLabel('Which loss').selectOption('Eval loss');
    await page.getByRole('img', { name: /^Eval loss by step\. .*to 0\.\d{4} at step 60/ }).waitFor();
    await page.context().close();
  });

  it('says what takes how much and may be cleared, and deletes it', async () => {
    const page = await open('family');
    await stage(page, 'Runs');
    await page.getByText('The browser may clear all of this when the disk gets full').waitFor();
    await page.getByText('Retune uses 2.4 GiB of this browser’s storage; 48.0 GiB are left.').waitFor();
    await button(page, 'Delete base').click();
    await page.getByText('Delete base for good? It frees 1.1 GiB.').waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('Retune uses 1.4 GiB').waitFor();
    await focusOn(page, 'Storage');
    await page
      .getByRole('listitem')
      .filter({ hasText: 'The browser’s overhead' })
      .getByText('3.0 MiB')
      .waitFor();
    await button(page, 'Delete everything').click();
    await page.getByText(/^Delete all runs, tests, prepared bases and choices for good\?/).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('Retune uses 8.0 MiB').waitFor();
    await page.getByText('No runs yet: the first appears here once it starts.').waitFor();
    expect(await button(page, 'Delete everything').count()).toBe(0);
    await focusOn(page, 'Storage');
    await page.context().close();
    const kept = await open('family&persisted');
    await stage(kept, 'Runs');
    await kept.getByText('Kept until you delete it').waitFor();
    await kept.context().close();
  });
});

it.concurrent(
  'gives axe nothing serious to find in the light and in the dark, and fits 640 pixels',
  async () => {
    const page = await open('family&tested=30&holdAnswer=10');
    await page.setViewportSize({ width: 640, height: 800 });
    const checked = async (what: string) => {
      await fits(page, what);
      await accessibleInBothSchemes(page, what);
    };
    await openTest(page);
    await button(page, 'Best of question 1: V2').first().click();
    await checked('side by side');
    await button(page, 'All tests').click();
    await button(page, 'Use the demo’s questions').click();
    await page.getByText('128 questions each').waitFor();
    await button(page, 'Delete questions.json: V1, V2').click();
    await checked('before the start');
    await stage(page, 'Runs');
    await page
      .locator('family-tree')
      .getByRole('button', { name: /V3 with/ })
      .click();
    await page.getByText('Recipe', { exact: true }).last().click();
    await button(page, 'Delete base').click();
    await checked('runs');
    await openTest(page);
    const v1 = rows(page).nth(2).locator('td').first();
    await shownInForcedColors(page, [
      ['wrong word', v1.locator('del').first(), (word) => (word.className = '')],
      ['missing word', v1.locator('ins').first(), (word) => (word.className = '')],
      [
        'chosen vote',
        button(page, '✓ Best of question 1: V2'),
        (vote) => vote.removeAttribute('aria-pressed'),
      ],
    ]);
    await page.context().close();
  },
);
