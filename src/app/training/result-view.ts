import '../elements/notice-bar.ts';
import './chat/chat-view.ts';
import './next-steps.ts';
import { css, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { partlyWritten } from '../../engine/files/partly-written.ts';
import type { Following } from '../../engine/watch.ts';
import { showBytes, showNumber } from '../../formats/words.ts';
import { hasPickers } from '../../platform/file-pickers.ts';
import { saveFile } from '../../platform/save-file.ts';
import { stoppedVerdict, verdictOf } from '../../run/verdict.ts';
import type { RunState } from '../shared/app-state.ts';
import { askForOutputFolder } from '../shared/browser-questions.ts';
import { FollowedWork } from '../shared/followed-work.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { tenths } from '../shared/tenths.ts';
import { resultName, sourceName } from '../shared/version-names.ts';

/** The output of a run: its adapter and checkpoints to download, and the adapter to chat with. */
@customElement('result-view')
export class ResultView extends SessionView {
  @state() private withCheckpoints = false;
  @state() private busy = '';
  /** What is being downloaded, and its progress. */
  @state() private file = '';
  @state() private share: string | undefined;
  /** What a folder has got so far; undefined while a zip is packed. */
  private written: { paths: string[]; total: number } | undefined;
  readonly #following = new FollowedWork((share) => (this.share = share));
  @state() private said: { kind: 'good' | 'bad'; text: string } | undefined;

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template-columns: repeat(2, minmax(0, 1fr));
        gap: var(--gap);
        align-items: start;
      }
      .panel {
        display: grid;
        gap: 0.8rem;
      }
      notice-bar {
        grid-column: 1 / -1;
      }
      .said {
        display: contents;
      }
      /* Beside both the download and the checkpoints. */
      next-steps {
        grid-row: span 2;
      }
      .scroll {
        /* What is only heard stands out of the flow: it must scroll too. */
        position: relative;
      }
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: var(--small);
      }
      th {
        text-align: left;
        font-weight: 500;
        color: var(--ink-soft);
      }
      th,
      td {
        padding: 0.25rem 0.6rem 0.25rem 0;
        border-bottom: 1px solid var(--line);
        white-space: nowrap;
      }
      tbody tr:last-child td {
        border-bottom: 0;
      }
      @media (max-width: 44rem) {
        :host {
          grid-template-columns: minmax(0, 1fr);
        }
        next-steps {
          grid-row: auto;
        }
      }
      td {
        vertical-align: baseline;
      }
      td .link + .link {
        margin-left: 0.6rem;
      }
      td:last-child {
        text-align: right;
        padding-right: 0;
        white-space: normal;
      }
    `,
  ];

  override render() {
    const run = this.app.run!;
    const finished = run.status === 'finished';
    const leads = finished || this.app.runs.some(({ id, taken }) => id === run.id && taken);
    return html`<div class="said" role="status">
        ${this.said ? html`<notice-bar .kind=${this.said.kind} .text=${this.said.text}></notice-bar>` : nothing}
        <p class="only-heard">
          ${this.share === undefined ? '' : `${this.file}: ${tenths(Number.parseFloat(this.share), 100)} done.`}
        </p>
      </div>
      ${
        this.share === undefined
          ? nothing
          : html`<notice-bar
              .text=${`${this.file}: ${this.share} is ${this.busy === 'folder' ? 'written' : 'packed'}.`}
              ><button slot="actions" type="button" @click=${this.#cancel}>Cancel</button></notice-bar
            >`
      }
      ${this.#verdict(run)} ${finished ? this.#take(run) : nothing}
      ${leads ? html`<next-steps .session=${this.session}></next-steps>` : nothing}
      ${run.checkpoints.length > 0 ? this.#checkpoints(run.id!) : nothing}
      ${finished || run.checkpoints.length > 0 ? html`<chat-view .session=${this.session}></chat-view>` : nothing}`;
  }

  #verdict({ id, best, evals, checkpoints, hasSource, status }: RunState) {
    const { runs } = this.app;
    const last = runs.find((record) => record.id === id)?.step;
    const step = best?.step ?? last;
    const names = { source: hasSource ? sourceName(id, runs) : undefined, result: resultName(id, runs) };
    const saved = checkpoints.map((kept) => kept.step);
    const judged = { evals, saved, names };
    const finished = step === undefined ? undefined : verdictOf({ ...judged, step });
    const verdict = status === 'finished' ? finished : stoppedVerdict(judged);
    if (!verdict) {
      return nothing;
    }
    const { take } = verdict;
    return html`<notice-bar class="verdict" kind=${verdict.worse ? 'warn' : 'good'} .text=${verdict.text}
      >${
        take === undefined
          ? nothing
          : html`<button
              slot="actions"
              type="button"
              ?disabled=${this.busy !== ''}
              @click=${() => void this.#takeStep(id!, take)}
            >
              Take step ${take} as ${names.result}
            </button>`
      }</notice-bar
    >`;
  }

  #take({ id: own, best }: RunState) {
    const id = own!;
    return html`<section class="panel" aria-labelledby="take">
      <h3 id="take">Download ${resultName(id, this.app.runs)}</h3>
      <p class="soft small">
        adapter_model.safetensors and adapter_config.json for PEFT, with its model card, configuration, state
        and logs.
      </p>
      ${
        best
          ? html`<p class="small">
              It is the adapter of step ${best.step}, which had the best eval loss
              (${showNumber(best.evalLoss)}).
            </p>`
          : nothing
      }
      <label class="check"
        ><input
          type="checkbox"
          .checked=${this.withCheckpoints}
          @change=${(event: Event) => (this.withCheckpoints = (event.target as HTMLInputElement).checked)}
        />With the checkpoints</label
      >
      <div class="row">
        <button
          type="button"
          class="primary"
          ?disabled=${this.busy !== ''}
          @click=${() => void this.#download(id)}
        >
          ${this.busy === 'zip' ? 'Packing…' : `Download ${resultName(id, this.app.runs)} (.zip)`}
        </button>
        ${
          hasPickers()
            ? html`<button
                type="button"
                ?disabled=${this.busy !== ''}
                @click=${() => void this.#intoFolder(id)}
              >
                ${this.busy === 'folder' ? 'Writing…' : 'Save into a folder'}
              </button>`
            : nothing
        }
      </div>
    </section>`;
  }

  #checkpoints(id: string) {
    const { steps, evals } = this.app.run!;
    return html`<section class="panel" aria-labelledby="checkpoints">
      <h3 id="checkpoints">Checkpoints</h3>
      <div class="scroll">
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">Loss</th>
              <th scope="col">Eval loss</th>
              <th scope="col">Size</th>
              <th scope="col"><span class="only-heard">Actions</span></th>
            </tr>
          </thead>
          <tbody>
            ${this.app.run!.checkpoints.map(
              ({ step, bytes, loss }) =>
                html`<tr>
                  <td>${step}</td>
                  <td>${shown(loss ?? steps.findLast((one) => one.step === step)?.loss)}</td>
                  <td>${shown(evals.findLast((one) => one.step === step)?.loss)}</td>
                  <td>${showBytes(bytes)}</td>
                  <td>
                    <button
                      type="button"
                      class="link"
                      ?disabled=${this.busy !== ''}
                      @click=${() => void this.#checkpoint(id, step)}
                    >
                      Download<span class="only-heard"> checkpoint ${step}</span>
                    </button>
                    <button type="button" class="link" @click=${() => this.#use(id, step)}>
                      Use<span class="only-heard"> checkpoint ${step} in other programs</span>
                    </button>
                  </td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  #use(id: string, step: number): void {
    const record = this.app.runs.find((run) => run.id === id);
    if (record) {
      void this.session.use.open(record, 'train', step);
    }
  }

  readonly #cancel = (): void => {
    const { file, written } = this;
    this.#following.cancel(
      written
        ? `${file}: saving was canceled, and ${partlyWritten(written.paths, written.total)}; save it again, or delete what is there.`
        : `${file}: the download was canceled; start it again when you want it.`,
    );
  };

  #download(id: string): Promise<void> {
    return this.#work('zip', async (following) => {
      const name = resultName(id, this.app.runs);
      const file = (this.file = `adapter-${name.toLowerCase()}.zip`);
      const answer = await this.session.training.exportRun(id, this.withCheckpoints, following);
      if (!answer.ok) {
        throw new Error(answer.sentence);
      }
      saveFile(file, answer.value);
      return `${name} is in your downloads as ${file}.`;
    });
  }

  #intoFolder(id: string): Promise<void> {
    return this.#work('folder', async (following) => {
      const folder = await askForOutputFolder(this.session.store);
      if (!folder) {
        return undefined;
      }
      this.file = folder.name;
      const written = (this.written = { paths: [] as string[], total: 0 });
      const onWritten = (path: string, total: number) => {
        written.paths.push(path);
        written.total = total;
      };
      const { training } = this.session;
      const answer = await training.exportRunInto(id, this.withCheckpoints, folder, following, onWritten);
      if (!answer.ok) {
        throw new Error(answer.sentence);
      }
      return `${resultName(id, this.app.runs)} is in the folder ${folder.name}.`;
    });
  }

  #checkpoint(id: string, step: number): Promise<void> {
    return this.#work('checkpoint', async (following) => {
      this.file = `checkpoint-${step}.zip`;
      const answer = await this.session.training.exportCheckpoint(id, step, following);
      if (!answer.ok) {
        throw new Error(answer.sentence);
      }
      saveFile(this.file, answer.value);
      return `checkpoint-${step}.zip is in your downloads.`;
    });
  }

  #takeStep(id: string, step: number): Promise<void> {
    return this.#work('step', async (following) => {
      const name = resultName(id, this.app.runs);
      this.file = `adapter-${name.toLowerCase()}-step-${step}.zip`;
      const answer = await this.session.training.exportTaken(id, step, following);
      if (!answer.ok) {
        throw new Error(answer.sentence);
      }
      saveFile(this.file, answer.value);
      const where = `Step ${step} as ${name} is in your downloads as ${this.file}`;
      return (await this.session.lineage.take(id, step))
        ? `${where}; here it stands for ${name} too, in the test, the chat and for the next version.`
        : `${where}.`;
    });
  }

  async #work(busy: string, act: (following: Following) => Promise<string | undefined>): Promise<void> {
    this.busy = busy;
    this.written = undefined;
    this.said = undefined;
    try {
      const text = await this.#following.do(act);
      if (text) {
        this.said = { kind: 'good', text };
      }
    } catch (error) {
      this.said = { kind: 'bad', text: error instanceof Error ? error.message : String(error) };
    } finally {
      this.busy = '';
    }
  }
}

const shown = (loss: number | undefined): string => (loss === undefined ? '–' : showNumber(loss));
