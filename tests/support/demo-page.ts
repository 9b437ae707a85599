import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import type { Download, Locator, Page } from 'playwright-core';
import { DEMO_QUESTIONS } from '../../src/app/shared/demo.ts';
import type { MemoryFiles } from './memory-folder.ts';
import { reachedStep } from './real-page.ts';

const DEMO = 'public/demo';
/** V3 only has to exist: two steps of 16 rows. */
const V3_EPOCHS = '0.25';

/** Takes a screenshot of the page from its top. */
type Picture = (name: string, view?: { height?: number }) => Promise<void>;

export interface ChatAnswer {
  version: string;
  text: string;
  /** 'stop-id', or what else ended it. */
  state: string;
}

/** What the page shows of a test of two versions. */
export interface ShownComparison {
  title: string;
  /** Percentage points of the difference, and of its 95% interval. */
  difference: number;
  interval: [low: number, high: number];
  /** Exact answers by version. */
  exact: Record<string, number>;
  /** By topic: questions, then the share of exact answers of V1 and V2. */
  topics: Record<string, { questions: number; v1: number; v2: number }>;
}

/** The bundled demo in the page from its first screen to V3: what the long test checks and the README shows. */
export class DemoPage {
  readonly page: Page;
  readonly #pictures: string | undefined;

  /** Without a folder for `pictures`, none are taken. */
  constructor(page: Page, pictures?: string) {
    this.page = page;
    this.#pictures = pictures;
    if (pictures) {
      mkdirSync(pictures, { recursive: true });
    }
    page.setDefaultTimeout(3_600_000);
  }

  /** Opens the page and trains with one click. */
  async train(url: string): Promise<void> {
    const { page } = this;
    await page.goto(url);
    if (this.#pictures) {
      await this.#button('Use the demo’s files').click();
      await page.getByText('Ready to start').waitFor();
      await this.#picture('choose');
      await page.reload();
    }
    await this.#button('Run the demo').click();
    if (this.#pictures) {
      await reachedStep(page, 1, 2);
      await this.#picture('train');
    }
    await this.#heading('V2 is ready');
  }

  /** Presses the demo's questions in the chat; the answers of each by V1 and V2. */
  async ask(): Promise<ChatAnswer[][]> {
    const { page } = this;
    const answers: ChatAnswer[][] = [];
    for (const question of DEMO_QUESTIONS) {
      await this.#button(question).click();
      await page.locator('chat-view .question', { hasText: question }).waitFor();
      await page.getByRole('button', { name: 'Ask', exact: true }).waitFor();
      const articles = page.locator('chat-view article');
      answers.push(
        await articles.evaluateAll((all) =>
          all.map((article) => ({
            version: article.querySelector('h4')!.textContent.trim(),
            text: article.querySelector('.text')!.textContent,
            state: article.className,
          })),
        ),
      );
    }
    await this.#picture('result', { height: 860 });
    return answers;
  }

  /** Starts asking V1 and V2 the demo's questions and stops on the way; returns the answers so far. */
  async beginTest(): Promise<{ answered: number; of: number }> {
    const { page } = this;
    await this.#stage('Test');
    await this.#button('Use the demo’s questions').click();
    await page.getByText('Order: V1, V2').waitFor();
    await this.#button('Start the test').click();
    await page.waitForFunction(() => Number(/^(\d+)% tested/.exec(document.title)?.[1] ?? -1) >= 30);
    await this.#button('Stop the test').click();
    const left = page.getByText(/^\s*\d+ of \d+ answers are saved\./);
    const [answered, of] = numbers(await left.innerText());
    return { answered: answered!, of: of! };
  }

  /** Reloads the page and resumes the test to its end; returns the answers that were still there. */
  async endTest(): Promise<number> {
    const { page } = this;
    await page.reload();
    const left = page.getByText(/^\s*\d+ of \d+ answers are saved\./);
    const [answered] = numbers(await left.innerText());
    await this.#button('Continue the test').click();
    await this.#heading('Side by side');
    if (this.#pictures) {
      await this.#button('Show where V2 got better').click();
      await this.#picture('test', { height: 1400 });
    }
    return answered!;
  }

  async comparison(): Promise<ShownComparison> {
    const { page } = this;
    const headline = page.locator('compare-headline-view');
    const plot = await headline.getByRole('img').getAttribute('aria-label');
    const [difference, low, high] = signed(plot!.replace('95%', ''));
    const exact = (await cells(page.locator('compare-summary-view'))).map(
      ([name, share]) => [name!, Number(/\((\d+)\)/.exec(share!)![1])] as const,
    );
    const topics = (
      await cells(page.locator('compare-groups-view section').filter({ hasText: 'By topic' }))
    ).map(([topic, questions, v1, v2]) => {
      const share = (text: string | undefined) => parseFloat(text!) / 100;
      return [topic!, { questions: Number(questions), v1: share(v1), v2: share(v2) }] as const;
    });
    return {
      title: (await headline.getByRole('heading').innerText()).trim(),
      difference: difference!,
      interval: [low!, high!],
      exact: Object.fromEntries(exact),
      topics: Object.fromEntries(topics),
    };
  }

  /** Saves the versions' results and the table; their paths in `folder`. */
  async downloadResults(folder: string): Promise<{ v1: string; v2: string; csv: string }> {
    const save = async (name: string) => {
      const file = await this.#download(name);
      const path = join(folder, file.suggestedFilename());
      await file.saveAs(path);
      return path;
    };
    return {
      v1: await save('Results of V1 (.json)'),
      v2: await save('Results of V2 (.json)'),
      csv: await save('All side by side (.csv)'),
    };
  }

  /** V2's files as its zip has them, of the run that is open. */
  async exportV2(): Promise<MemoryFiles> {
    const file = await this.#download('Download V2 (.zip)');
    return unzipSync(readFileSync(await file.path()));
  }

  /** Trains V3 from V2 for two steps. */
  async continueToV3(): Promise<void> {
    const { page } = this;
    await this.#stage('Runs');
    await this.#member('V2').click();
    await this.#button('Continue from this').click();
    const files = { train: 'train.jsonl', validation: 'val.jsonl' };
    for (const [slot, file] of Object.entries(files)) {
      await page.locator(`[data-slot=${slot}]`).setInputFiles(`${DEMO}/${file}`);
    }
    await page.getByText('as in demo/v1 + train.jsonl').waitFor();
    await page.locator('input[name=num_train_epochs]').fill(V3_EPOCHS);
    await page.getByText('Ready to start').waitFor();
    await this.#button('Start training').click();
    await this.#heading(/^V\d is ready$/);
  }

  /** The family tree's badges down from the base, as long as each has one child. */
  async family(): Promise<string[]> {
    await this.#stage('Runs');
    await this.#member('V3').click();
    await this.page.locator('runs-detail-view line-chart').waitFor();
    await this.#picture('runs', { height: 860 });
    return this.page.locator('family-tree').evaluate((tree) => {
      const badges: string[] = [];
      let children = [...tree.shadowRoot!.querySelectorAll(':host > ul > li')];
      while (children.length === 1) {
        badges.push(children[0]!.querySelector('.badge')!.textContent);
        children = [...children[0]!.querySelectorAll(':scope > ul > li')];
      }
      return badges;
    });
  }

  /** Opens the run that made V2 again. */
  async openV2(): Promise<void> {
    await this.#stage('Runs');
    await this.#member('V2').click();
    await this.page.locator('runs-detail-view').getByRole('button', { name: 'Open', exact: true }).click();
    await this.#heading('V2 is ready');
  }

  #button(name: string): Locator {
    return this.page.getByRole('button', { name });
  }

  #heading(name: string | RegExp): Promise<void> {
    return this.page.getByRole('heading', { name }).waitFor();
  }

  async #stage(name: string): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();
  }

  #member(badge: string): Locator {
    const { page } = this;
    return page.locator('family-tree button').filter({ has: page.locator('.badge', { hasText: badge }) });
  }

  async #download(name: string): Promise<Download> {
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.#button(name).click()]);
    return download;
  }

  readonly #picture: Picture = async (name, { height = 760 } = {}) => {
    if (!this.#pictures) {
      return;
    }
    const { page } = this;
    await page.setViewportSize({ width: 1200, height });
    await page.evaluate(() => scrollTo(0, 0));
    // Lit and uPlot draw once more after the last change.
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(this.#pictures, `${name}.png`) });
  };
}

/** The texts of a table's body, row by row. */
function cells(inside: Locator): Promise<string[][]> {
  return inside
    .locator('tbody tr')
    .evaluateAll((rows) =>
      rows.map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent.trim())),
    );
}

const numbers = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);

/** Numbers as the page writes them, with a minus sign of its own. */
const signed = (text: string): number[] =>
  (text.match(/[+−]?\d+\.\d+/g) ?? []).map((found) => Number(found.replace('−', '-')));
