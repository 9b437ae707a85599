import { CASES } from '../support/model-case.ts';
import { describeByCommand } from '../support/reference-by-command.ts';

describeByCommand(CASES);
