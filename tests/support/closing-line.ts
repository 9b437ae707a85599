import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Ends the output with the tests that passed on a second try only, why not on the first, and how many passed, failed and were skipped. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const flaky: string[] = [];
    let broken = 0;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        counts[test.result().state]++;
        if (test.diagnostic()?.flaky) {
          flaky.push(`${module.relativeModuleId} > ${test.fullName}`, ...firstErrors(test));
        }
      }
      if (module.errors().length > 0) {
        broken++;
      }
    }
    if (flaky.length > 0) {
      console.log(`\nPassed on a second try only:\n${flaky.join('\n')}`);
    }
    console.log(`\n${counts.passed} passed, ${counts.failed + broken} failed, ${counts.skipped} skipped`);
  }
}

/** What the tries before the last one failed with, and on which line. */
function firstErrors(test: TestCase): string[] {
  return (test.result().errors ?? []).map(({ message, stacks = [] }) => {
    const at = stacks.at(0);
    const place = at ? ` (${relative('.', at.file)}:${at.line})` : '';
    return `  ${message.slice(0, 500).replaceAll('\n', '\n  ')}${place}`;
  });
}
