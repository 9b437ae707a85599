import { CASES } from '../support/model-case.ts';
import { describeByCommand } from '../support/reference-by-command.ts';
import { BY_COMMAND } from '../support/reference-run.ts';

// tests/e2e/reference.test.ts has the others.
describeByCommand(CASES.filter((name) => !BY_COMMAND.includes(name)));
