import { describeByCommand } from '../support/reference-by-command.ts';
import { BY_COMMAND } from '../support/reference-run.ts';

// tests/gpu/run/reference.test.ts has the other cases by the engine alone; tests/long has those by command too.
describeByCommand(BY_COMMAND);
