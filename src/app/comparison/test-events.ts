import type {
  TestComparison,
  TestDetail,
  TestEvent,
  TestProgress,
  TestRecord,
  VersionResults,
} from '../../engine/protocol/comparison.ts';
import { showShare } from '../../formats/words.ts';

/** A test under way. */
export interface RunningTest {
  /** Known once the engine has kept it. */
  id?: string | undefined;
  name: string;
  stopping: boolean;
  phase?: Extract<TestEvent, { type: 'phase' }> | undefined;
  progress?: TestProgress | undefined;
  /** Notes so far, the latest last. */
  notes: readonly string[];
}

/** The tests that the page shows. */
export interface Shown {
  running?: RunningTest | undefined;
  detail?: TestDetail | undefined;
  comparison?: TestComparison | undefined;
  records: readonly TestRecord[];
}

/** The tab's title while a test runs. */
export const testTitle = ({ progress }: RunningTest): string =>
  progress ? `${showShare(progress.answered, progress.total)} tested · Retune` : 'Testing · Retune';

/** What is shown after one more event of the running test. */
export function afterTestEvent(shown: Shown, event: TestEvent): Partial<Shown> {
  const { running, detail, records } = shown;
  if (!running) {
    return {};
  }
  const own = detail !== undefined && detail.record.id === running.id;
  switch (event.type) {
    case 'created': {
      const { record } = event;
      const others = records.filter(({ id }) => id !== record.id);
      return { running: { ...running, id: record.id }, records: [record, ...others] };
    }
    case 'phase':
      return { running: { ...running, phase: event } };
    case 'note':
      return { running: { ...running, notes: [...running.notes, event.text] } };
    case 'progress':
      return { running: { ...running, phase: undefined, progress: event.progress } };
    case 'answer': {
      if (!own) {
        return {};
      }
      const { version, question, answer, scores } = event;
      const versions = detail.versions.map((results, i): VersionResults => {
        if (i !== version) {
          return results;
        }
        return {
          ...results,
          answers: results.answers.with(question, answer),
          scores: results.scores.with(question, scores),
        };
      });
      return { detail: { ...detail, versions } };
    }
    case 'version': {
      const withVersion = (record: TestRecord): TestRecord => ({
        ...record,
        versions: record.versions.with(event.version, event.record),
      });
      return {
        records: records.map((record) => (record.id === running.id ? withVersion(record) : record)),
        ...(own ? { detail: { ...detail, record: withVersion(detail.record) } } : {}),
      };
    }
  }
}
