import type { Reporter, TestModule } from 'vitest/node';

/** Ends the output with one line that says how many tests passed, failed and were skipped. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    let broken = 0;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        counts[test.result().state]++;
      }
      if (module.errors().length > 0) {
        broken++;
      }
    }
    console.log(`\n${counts.passed} passed, ${counts.failed + broken} failed, ${counts.skipped} skipped`);
  }
}
