import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible, accessibleInBothSchemes, fits } from '../support/page-checks.ts';
import { servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-chat');
});
afterAll(() => server?.close());

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const answers = (page: Page) => page.locator('chat-view chat-answer');
const names = (page: Page) => page.locator('chat-answer h4').allTextContents();
const ask = async (page: Page, question: string) => {
  await page.getByLabel('Question').fill(question);
  await page.getByLabel('Question').press('Enter');
  await page.getByRole('button', { name: 'Ask', exact: true }).waitFor();
};
/** Opens the chat of a finished run that has V1, V2 and a checkpoint. */
const openChat = async (page: Page) => {
  await page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name: 'Runs' }).click();
  await page
    .locator('family-tree')
    .getByRole('button', { name: /v1 \+ train/ })
    .click();
  await page.locator('runs-detail-view').getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { name: 'Chat' }).waitFor();
};
const open = async (options: Parameters<(typeof server)['open']>[1] = {}) => {
  const page = await server.open('family&pace=0', { reducedMotion: 'reduce', ...options });
  await openChat(page);
  return page;
};

describe.concurrent('the chat', () => {
  it('continues each version with its own answers, keeps them over a reload, copies and deletes', async () => {
    const page = await open();
    // Of several windows only the one in front may use the real one.
    const clipboard = async () => page.evaluate(() => sessionStorage.getItem('copied'));
    const stub = () =>
      page.evaluate(() => {
        navigator.clipboard.writeText = async (text) => sessionStorage.setItem('copied', text);
      });
    await stub();
    await page.getByText('System prompt, temperature, length').click();
    expect(await page.getByLabel('System prompt').inputValue()).toBe('You keep the stock.');
    await page.getByLabel('V2 step 40').check();
    await ask(page, 'Where is fuse 45?');
    expect(await names(page)).toEqual(['V1', 'V2 step 40', 'V2']);
    // One that joins later begins with the turn that it is asked first.
    await page.getByLabel('Base').check();
    await page.getByLabel('V2 step 40').uncheck();
    await ask(page, 'And fuse 46?');
    expect((await names(page)).slice(3)).toEqual(['Base', 'V1', 'V2']);
    await answers(page).nth(3).getByText('I am not sure what you mean by “And fuse 46?”').waitFor();
    await answers(page).nth(5).getByText('As said 1 times before: The fuse 45').waitFor();
    expect(await answers(page).nth(4).locator('.hidden-character').textContent()).toBe('U+202E');
    await button(page, 'Copy the answer of V2').last().click();
    await answers(page).nth(5).getByText('Copied.').waitFor();
    expect(await clipboard()).toMatch(/^As said 1 times before: .* 3\.5 €\.$/);

    await page.reload();
    await stub();
    await openChat(page);
    expect(await names(page)).toEqual(['V1', 'V2 step 40', 'V2', 'Base', 'V1', 'V2']);
    await button(page, 'Copy all').click();
    const copied = '**System:** You keep the stock.\n\n**You:** Where is fuse 45?\n\n**V1:**';
    await page.waitForFunction((text) => sessionStorage.getItem('copied')?.startsWith(text), copied);
    await button(page, 'New conversation').click();
    expect(await answers(page).count()).toBe(0);
    await page.getByLabel('Conversation', { exact: true }).selectOption({ index: 1 });
    expect(await answers(page).count()).toBe(6);
    await button(page, 'Delete this conversation').click();
    await page.keyboard.press('Enter');
    await page.getByLabel('Conversation', { exact: true }).waitFor({ state: 'detached' });
    await page.reload();
    await openChat(page);
    expect(await answers(page).count()).toBe(0);
    await page.context().close();
  });

  it('samples as its fields say, cancels what is being said, and says what cannot be asked', async () => {
    const page = await open();
    await page.getByText('System prompt, temperature, length').click();
    const length = page.getByLabel('Length, in tokens');
    await length.fill('many');
    await length.blur();
    await page.getByText('Found "many", expected a whole number of at least 1.').waitFor();
    expect(await page.getByRole('button', { name: 'Ask', exact: true }).isDisabled()).toBe(true);
    await length.fill('4');
    await page.getByLabel('Temperature').fill('0.7');
    await page.getByLabel('Temperature').blur();
    await ask(page, 'Where?');
    expect(await names(page)).toEqual(['V1, cut at the length', 'V2, cut at the length']);
    await page.getByText('Temperature 0.7, top-p 0.9, seed 42', { exact: true }).waitFor();
    await length.fill('512');
    await length.blur();

    await page.getByLabel('Question').fill('Slowly');
    await page.getByLabel('Question').press('Enter');
    await answers(page).nth(2).getByText('As', { exact: true }).waitFor();
    await button(page, 'Cancel').click();
    await page.getByRole('button', { name: 'Ask', exact: true }).waitFor();
    // The one that was not asked any more is not shown beside it.
    expect((await names(page)).slice(2)).toEqual(['V1, canceled']);

    await ask(page, 'Too long');
    await page.getByRole('alert').getByText('The conversation has 4100 tokens, expected fewer').waitFor();
    expect(await page.getByLabel('Question').inputValue()).toBe('Too long');
    expect(await answers(page).count()).toBe(3);
    await page.context().close();
  });

  it('says where another tab went on with the conversation, and shows both', async () => {
    const page = await open();
    await page.getByLabel('V1').uncheck();
    await ask(page, 'Where is fuse 45?');
    await ask(page, 'Meanwhile');
    const parted = 'Another tab continued this conversation too; what was said here is now a separate';
    await page.getByRole('alert').getByText(parted).waitFor();
    const questions = () => page.locator('chat-view .question').allTextContents();
    expect(await questions()).toEqual(['Where is fuse 45?', 'Meanwhile']);
    await page.getByLabel('Conversation', { exact: true }).selectOption({ index: 2 });
    expect(await questions()).toEqual(['Where is fuse 45?', 'Where is fuse 45?']);
    await page.context().close();
  });

  it('hides names until the vote, counts blind votes with their interval, and passes axe', async () => {
    const page = await open({ viewport: { width: 640, height: 800 } });
    await page.getByLabel('Blind: names are hidden until you vote').check();
    const said: string[] = [];
    for (const turn of [1, 2, 3, 4, 5]) {
      await ask(page, `Where is fuse ${turn}?`);
      expect((await names(page)).slice(-2)).toEqual(['A', 'B']);
      const group = page.getByRole('group', { name: `Your vote on question ${turn}` });
      const texts = await answers(page).locator('.text').allTextContents();
      // V2 is the one that knows the shelf, on whichever side.
      const side = texts.slice(-2).findIndex((text) => text.includes('東京')) === 0 ? 'A' : 'B';
      said.push(side);
      if (turn === 5) {
        await accessible(page, 'before the vote');
      }
      await group.getByRole('button', { name: side, exact: true }).click();
      await group.waitFor({ state: 'detached' });
      const own = `${side}: V2 ✓ your vote`;
      const other = side === 'A' ? 'B: V1' : 'A: V1';
      expect((await names(page)).slice(-2)).toEqual(side === 'A' ? [own, other] : [other, own]);
    }
    const result = 'V2 won 5 of 5 votes against V1: 100%, 95% interval 57% to 100%. You prefer V2.';
    await page.getByText(result, { exact: true }).waitFor();
    await page.reload();
    await openChat(page);
    await page.getByText(result, { exact: true }).waitFor();
    // The sides are those of before.
    expect((await names(page)).filter((name) => name.includes('your vote')).map((name) => name[0])).toEqual(
      said,
    );
    await page.getByText('System prompt, temperature, length').click();
    await fits(page, 'chat');
    await accessibleInBothSchemes(page, 'after the votes');
    await page.context().close();
  });
});
