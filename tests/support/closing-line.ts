import type { Reporter, TestModule } from 'vitest/node';

/** Ends the output with the tests that passed on a second try only, and how many passed, failed and were skipped. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const flaky: string[] = [];
    let broken = 0;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        counts[test.result().state]++;
        if (test.diagnostic()?.flaky) {
          flaky.push(`${module.relativeModuleId} > ${test.fullName}`);
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
